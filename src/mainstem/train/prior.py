"""Counts beside the whole network, once it has been trained: the share, and what it is worth.

Shapes: N held-out targets that were measured, W windows.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from msgspec.structs import asdict
from numpy.typing import NDArray

from .. import config, counts, data, files, variants
from ..counts.scored import check_order
from ..counts.stored import NAME, About, Gain, Prior, load, save
from ..data.batches import num_windows, spread, targets
from ..errors import reason
from ..measure.evaluate import context_of, evaluate
from ..measure.evaluate import error as standard_error
from ..runs.disk import disk
from ..runs.score import BITS, NATS
from ..runs.state import Best
from ..wording import fixed
from .learner import Learner

_NORMAL = 1.96
"""Standard errors on either side of a 95% interval."""


def asked(run: config.Run) -> counts.Counts | None:
    """Return the counts that `run` asks for; None where it asks for none."""
    if run.model.prior is None:
        return None
    found: counts.Counts = variants.resolve("prior", run.model.prior)
    return found


def check(run: config.Run, vocab: int) -> None:
    """Raise `BadInput` where `run` asks for counts of an order that a vocabulary of `vocab` leaves no room for."""
    beside = asked(run)
    if beside is not None and beside.order is not None:
        check_order(beside.order, vocab, "model.prior.order")


@dataclass
class Beside:
    """What stands beside the best model of a run in its folder: counts, or none.

    `model` is where its weights lie, and their checksum; `prior` what was written there.
    """

    learner: Learner
    asked: counts.Counts | None
    model: tuple[Path, str] | None = None
    prior: Prior | None = field(default=None, init=False)

    def made(
        self, best: Best, over: data.yardsticks.OverTokens | None, without: Exception | None = None
    ) -> dict[str, Any]:
        """Write counts.safetensors, or take away what lies there from before; return what the outcome says of it.

        What was fitted to these very weights stays where there is no time to fit it again. `without` is why there is
        nothing to fit from.
        """
        if self.asked is None:
            self._remove()
            return {}
        found, why = None, _why(without)
        if over is not None:
            found, why = fitted(self.learner, best, over)
        else:
            found = self._there()
        self.prior = found
        if found is None:
            self._remove()
            return {"prior": {"left_out": why}}
        if self.model is not None:
            found.about = msgspec.structs.replace(found.about, model=self.model[1])
            with disk(NAME, self.model[0]):
                save(self.model[0], found)
        return {"prior": {"share": found.about.share, "order": found.about.order, **asdict(found.about.gain)}}

    def _there(self) -> Prior | None:
        """Return the counts that were fitted to the weights that lie there now."""
        if self.model is None:
            return None
        try:
            found = load(self.model[0])
        except files.Unusable:
            return None
        return found if found is not None and found.about.model == self.model[1] else None

    def _remove(self) -> None:
        if self.model is not None and os.path.lexists(self.model[0] / NAME):
            with disk(NAME, self.model[0]):
                files.remove(self.model[0] / NAME)


def _why(error: Exception | None) -> str:
    """Return why counts that `model.prior` asks for are not there."""
    if error is None or isinstance(error, TimeoutError):
        return "the budget had no time left to count, as model.prior asks for; a longer --train.budget has it"
    return f"counting failed ({reason(error)})"


def line(said: Mapping[str, Any]) -> str:
    """Return what the outcome says of counts as a line of the screen.

    Example:
        >>> print(line({"left_out": "they would cost more"}))
        without counts: they would cost more
    """
    if "left_out" in said:
        return f"without counts: {said['left_out']}"
    alone = said["network_bpb"]
    low, high = (f"{said[name] / alone:.1%}" for name in ("low", "high"))
    return (
        f"with counts {fixed(said['mixed_bpb'], '.4f')} bits per byte, {1 - said['mixed_bpb'] / alone:.1%} "
        "fewer than the "
        f"network's {fixed(alone, '.4f')} (95%: {low} to {high}): {said['share']:.0%} network, "
        f"{1 - said['share']:.0%} counts of "
        f"order {said['order']}"
    )


def losses(learner: Learner, best: Best) -> NDArray[np.float64]:
    """Return the nats of each target in the pass that `best` is of, by the weights that the model holds now.

    They are those of the last pass where that was this one, as it is where all of the held-out part was measured at the
    end; else the sample is measured again.
    """
    last = learner.losses
    if last.values is not None and (last.nats, len(last.values)) == (best.values[NATS.name], best.tokens):
        return last.values.double().numpy()
    found = evaluate(
        learner.model,
        learner.data.held_out,
        windows=len(windows(learner, best)),
        documents=learner.run.data.documents == "mask",
        batch=learner.run.evaluate.batch,
        autocast=learner.place.autocast,
    )
    assert found.losses_N is not None
    return found.losses_N.double().numpy()


def windows(learner: Learner, best: Best) -> NDArray[np.int64]:
    """Return which windows of the held-out text the pass has measured."""
    context, held = context_of(learner.model), learner.data.held_out
    return spread(num_windows(held, context), -(-best.tokens // context))


def fit(
    learner: Learner, best: Best, network_N: NDArray[np.float64], over: data.yardsticks.OverTokens
) -> tuple[float, Gain]:
    """Return the share of the network, and what the mixture came to beside the network alone.

    `network_N` has the nats of each target. The share is that of all of them; what it came to is measured with each
    half of the text scored by the share of the other half.
    """
    places = targets(learner.data.held_out, context_of(learner.model), windows(learner, best))
    network, frozen = -network_N, over.frozen[places].astype(np.float64)
    mixed = counts.crossed(network, frozen)
    # The windows of a pass are of one length but for the last.
    edges = np.arange(0, len(places), context_of(learner.model))
    gain_W = torch.from_numpy(np.add.reduceat(mixed - network, edges))
    tokens_W = torch.from_numpy(np.diff(edges, append=len(places))).double()
    bits = best.values[BITS.name] / best.values[NATS.name]
    unsure = _NORMAL * standard_error(gain_W, tokens_W) * bits
    gain = float((mixed - network).mean()) * bits
    return counts.share(network, frozen), Gain(
        network_bpb=best.values[BITS.name],
        counts_bpb=-float(frozen.mean()) * bits,
        mixed_bpb=best.values[BITS.name] - gain,
        low=gain - unsure,
        high=gain + unsure,
        tokens=len(places),
    )


def fitted(learner: Learner, best: Best, over: data.yardsticks.OverTokens) -> tuple[Prior | None, str]:
    """Return the counts to be mixed with the model, which holds its best weights; or None, and why there are none.

    What does not help is left out: the lower end of the 95% interval of the gain has to be above 0.
    """
    share, gain = fit(learner, best, losses(learner, best), over)
    if math.isnan(gain.low):
        return None, "the held-out part is too small to tell what they are worth"
    if gain.low <= 0:
        return None, (
            f"they would take {fixed(gain.network_bpb - gain.mixed_bpb, '.4f')} bits per byte away (95% interval "
            f"{fixed(gain.low, '.4f')} to {fixed(gain.high, '.4f')})"
        )
    about = About(
        order=over.order,
        vocab=learner.data.tokenizer.vocab_size,
        share=share,
        corpus=learner.data.facts["hash"],
        model="",
        gain=gain,
    )
    return Prior(np.asarray(over.tokens), over.discounts, about), ""
