"""What `deep.py` trains: forms, depths and learning rates, in which order, and what is not tried any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import trainings

TEXT = "shakespeare"
SEEDS, BLOCKS, TUNED = (0, 1, 2), (4, 16, 64, 256, 1000), (4, 16, 64)
STEPS, RATE = 200, 2e-3
RATES = (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)
"""Each twice the one before it, so that the best of two depths are within a factor of 2 where they are neighbours."""

FORMS = {
    "pre_norm": "model.residual=pre_norm",
    "layer_norm_scaling": "model.residual=layer_norm_scaling",
    "complete_p": "model.residual=complete_p model.residual.base_layers=4 model.residual.base_width=32",
    "deepnorm": "model.residual=deepnorm",
    "keel": "model.residual=keel",
    "rezero": "model.residual=rezero",
    "reversible": "model.residual=reversible",
    "attention_residuals": "model.residual=attention_residuals model.residual.group={group}",
    "post_norm": "model.residual=post_norm",
}
"""The flags of each; pre-norm starts with output projections divided by sqrt N. A group of attention over depth is an
eighth of all sublayers, so that its cost is linear too."""

SHAPE = (
    "model.width=32 model.heads=2 model.context=64 model.prior=none data.tokenizer=byte train.batch=8 optim.name=adamw "
    "optim.warmup=0.1 evaluate.tokens=4096 evaluate.cap=0 machine.dtype=float32"
)


class Arm(NamedTuple):
    """One training."""

    part: str
    form: str
    blocks: int
    rate: float
    seed: int

    @property
    def flags(self) -> str:
        """The flags of the configuration over the recipe `default`."""
        form = FORMS[self.form].format(group=max(1, self.blocks // 4))
        return f"{SHAPE} model.layers={self.blocks} {form} optim.lr={self.rate:g}"


def arms(depths: Sequence[int] = BLOCKS) -> Iterator[Arm]:
    """Yield all arms, small depths first, and of a depth one seed after the other.

    >>> [arm.form for arm in arms([4])][:3], next(arms([4])).rate
    (['pre_norm', 'layer_norm_scaling', 'complete_p'], 0.002)
    """
    for blocks in depths:
        for seed in SEEDS:
            yield from (Arm("depth", form, blocks, RATE, seed) for form in FORMS)
        if blocks in TUNED:
            for seed in SEEDS:
                for rate in RATES:
                    yield from (Arm("rate", form, blocks, rate, seed) for form in ("pre_norm", "complete_p"))


def hopeless(rows: Sequence[dict[str, str]], arm: Arm) -> bool:
    """Return whether all seeds of a form failed at a smaller depth.

    >>> row = {"part": "depth", "form": "keel", "blocks": "4", "failed": "its numbers were not finite"}
    >>> hopeless([row] * 3, Arm("depth", "keel", 16, RATE, 0)), hopeless([row] * 2, Arm("depth", "keel", 16, RATE, 0))
    (True, False)
    """
    found: dict[int, int] = {}
    for row in rows:
        if (row["part"], row["form"]) == (arm.part, arm.form) and int(row["blocks"]) < arm.blocks and row["failed"]:
            found[int(row["blocks"])] = found.get(int(row["blocks"]), 0) + 1
    return arm.part == "depth" and any(count == len(SEEDS) for count in found.values())


def key(arm: Arm, sha: str) -> str:
    """Return what the row of an arm is found by, trained on a text with this hash."""
    return f"{arm.part}-{trainings.key(sha, STEPS, arm.flags, arm.seed)}"
