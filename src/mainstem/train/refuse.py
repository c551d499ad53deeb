"""What is wrong with a run whatever its text is: asked before the text is read."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from .. import config, model, optim, penalty, variants
from ..data import sources
from ..runs import weights
from ..wording import several
from . import device, init_from, memory, tensorboard
from .losses import target_loss

_PER_STEP = 0.01
"""Share of a weight that a decay may take each step without a warning."""
_SMALL = {"hidden": 8, "context": 8, "head_width": None}


def early(run: config.Run, begins: bool = True) -> None:
    """Raise `BadInput` for what no text could make right, in well under a second.

    Names and their values; what nothing reads; a course of the decay that ends before it begins; pairs of forms and
    initial weights that cannot be; sizes that no memory holds; patterns of a decay or a penalty that fit nothing,
    tensors that two proximal steps claim; a device or TensorBoard that is not there; and where the run `begins`, the
    weights of `train.init_from` that are not there, are damaged or are another model's.
    """
    run = device.settle(config.resolve(run))
    sources.check_glob(run.data)
    if run.log.tensorboard:
        tensorboard.check()
    place = device.choose(run.machine)
    memory.refuse(run, variants.resolve("tokenizer", run.data.tokenizer).least, place)
    variants.resolve("schedule", run.optim.schedule)
    variants.resolve("course", run.optim.decay_course)
    network = skeleton(run)
    target_loss.parse(run.loss).refuse(network)
    _rows(run, network)
    if begins and run.train.init_from is not None:
        _check_start(run, run.train.init_from, place)


def doubts(run: config.Run) -> list[str]:
    """Return warnings about a run that need no text: decay that leaves weights nothing or that is there
    twice, and zeros that an average undoes.

    Example:
        >>> run = config.Run(penalty=[config.PenaltyTerm(name="l1", coef=1e-5, on="attention")])
        >>> doubts(run)[0][:52]
        'weights are drawn to 0 twice, by weight decay 0.1 an'
    """
    run = config.resolve(run)
    soon = _forgotten(run.optim.decay_kind, run.optim.decay)
    if not run.penalty and not run.optim.proximal:
        return soon
    network = skeleton(run)
    terms: list[penalty.Penalty | optim.Proximal] = [
        *penalty.make(run.penalty),
        *penalty.proximal(network, run.optim.proximal),
    ]
    found = [*soon, *penalty.doubled(_rows(run, network), terms)]
    if run.optim.proximal and (run.optim.average or run.optim.swa):
        found.append(
            "optim.proximal makes weights exactly zero, and the average of them that is kept is not: give "
            "--optim.average 0 --optim.swa 0 for a model with zeros"
        )
    return found


def _forgotten(kind: str, decay: float) -> list[str]:
    """Return a warning where a number that would be usual for another kind of decay leaves weights nothing."""
    if kind == "independent" and decay > _PER_STEP:
        return [
            f"optim.decay {decay:g} of kind independent leaves 1 / e of a weight after "
            f"{several(1 / decay, 'step', '.3g')}: give "
            "about the learning rate times the usual decay, as in --optim.decay 1e-4"
        ]
    if kind == "passes" and 0 < decay < 1:
        return [
            f"optim.decay {decay:g} of kind passes leaves 1 / e of a weight after {decay:g} passes over the text: give "
            "how many it is to remember, as in --optim.decay 4"
        ]
    return []


def _rows(run: config.Run, network: model.Network) -> list[optim.Row]:
    made = optim.make(network, run.optim, penalty.proximal(network, run.optim.proximal), math.inf)
    terms = penalty.make(run.penalty)
    penalty.fitting(network, terms)
    for term in terms:
        term.begin(network)  # what has groups refuses a model without them
    return optim.table(network, made, terms)


def skeleton(run: config.Run) -> model.Network:
    """Return a model with the names, roles and layers of the run's own, and as small as those allow."""
    assert run.model.heads is not None
    small = variants.resolve("embedding", run.model.embedding).small()
    sizes = msgspec.structs.replace(run.model, width=2 * run.model.heads, embedding=small, **_SMALL)
    return model.network(model.settings(sizes, run.noise, 2), None)


def _check_start(run: config.Run, source: str, place: device.Place) -> None:
    found = weights.read(Path(source) / "model.safetensors")
    shapes = {name: tuple(tensor.shape) for name, tensor in found.items()}
    # How many tokens there are is the text's matter: here they are as many as those weights have.
    vocab = next(
        (
            shape[0]
            for name, shape in shapes.items()
            if name in ("embedding.weight", "members.0.embedding.weight") and shape
        ),
        1,
    )
    memory.refuse(run, vocab, place)
    weights.check_shapes(
        model.network(model.settings(run.model, run.noise, vocab), None),
        shapes,
        f"train.init_from {source!r}",
        init_from.remedy(source),
    )
