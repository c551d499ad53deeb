"""Bits per byte at each stage of a run, and what each took away, beside the yardsticks.

A stage is a held-out pass that was made: nothing is estimated, and nothing that was undone is among them.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

from ..draw.table import Table
from ..draw.words import count
from ..runs.metrics import number
from ..wording import fixed
from .headline import best_of, yardsticks
from .metrics import evaluation
from .mixture import mixture
from .source import Source, mapping

_SHARES = ((1 / 8, "1/8"), (1 / 4, "1/4"), (1 / 2, "1/2"))
"""Shares of the steps after which a stage is shown, by the first pass from there to twice as many."""


class Stage(NamedTuple):
    """What a model needed in `bits` per byte after so many steps."""

    name: str
    step: int
    bits: float


class Waterfall(NamedTuple):
    """Stages in the order of their steps, the best weights behind them and counts last; and yardsticks by name.

    Of an ensemble the best weights are two stages: those of one member, and the mean of all.
    """

    stages: list[Stage]
    lines: list[tuple[str, float]]
    note: str

    @property
    def most(self) -> float:
        """Return the end of the axis."""
        return max([stage.bits for stage in self.stages] + [bits for _, bits in self.lines])

    @property
    def gains(self) -> list[float | None]:
        """Return what each stage took away from the bits of the one before it."""
        bits = [stage.bits for stage in self.stages]
        return [None, *(before - now for before, now in itertools.pairwise(bits))]

    @property
    def table(self) -> Table:
        """Return the numbers behind the figure."""
        rows = [
            [stage.name, count(stage.step), fixed(stage.bits, ".3f"), "" if gain is None else fixed(-gain, "+.3f")]
            for stage, gain in zip(self.stages, self.gains, strict=True)
        ]
        return Table("Stages", ["stage", "step", "bits per byte", "change"], rows, frozenset({1, 2, 3}))

    @property
    def places(self) -> list[tuple[Stage, float, float]]:
        """Return each stage with the left end and the width of its bar in percent; first and last begin at 0."""
        found, before = [], 0.0
        for at, stage in enumerate(self.stages):
            whole = at in (0, len(self.stages) - 1)
            low, high = (0.0, stage.bits) if whole else sorted((stage.bits, before))
            found.append((stage, 100 * low / self.most, 100 * (high - low) / self.most))
            before = stage.bits
        return found

    @property
    def rules(self) -> list[tuple[str, float]]:
        """Return the yardsticks by name, with their places in percent."""
        return [(name, 100 * bits / self.most) for name, bits in self.lines]


def waterfall(source: Source) -> Waterfall | None:
    """Return the stages of a run; None where there are fewer than two, or where its score is none of text."""
    best = best_of(source)
    if best is None or best.bits is None:
        return None
    each = best.bits / best.value if best.value else 0.0
    passes = [(int(x), value * each) for x, value in source.metrics.evaluations.points("held_out")]
    found, start = [], evaluation(0, source.fact("start"), source.score)
    if start is not None and start.bits is not None:
        found.append(Stage("before the first step", 0, start.bits))
    last = source.metrics.last_step
    for share, words in _SHARES:
        there = next(((step, bits) for step, bits in passes if share * last <= step < 2 * share * last), None)
        if there is not None and (found[-1].step if found else 0) < there[0] < best.step:
            of = "" if any(stage.step for stage in found) else " of the steps"
            found.append(Stage(f"after {words}{of}", *there))
    several = mapping(source.fact("outcome").get("ensemble"))
    members, one = number(several.get("members")), number(several.get("one_bpb"))
    if members is None or one is None:
        found.append(Stage("the best weights", best.step, best.bits))
    else:
        found += [Stage("one member", best.step, one), Stage(f"all {count(members)} members", best.step, best.bits)]
    if (both := mixture(source)) is not None:
        found.append(Stage("counts mixed in", best.step, both.mixed))
    if len(found) < 2:
        return None
    lines = sorted(yardsticks(source).items(), key=lambda item: item[1])
    return Waterfall(found, lines, _note(source))


def _note(source: Source) -> str:
    sample = number(source.fact("start").get("tokens"))
    reached = number(mapping(source.fact("outcome").get("best")).get("tokens"))
    if sample is None or reached is None or sample == reached:
        return "Every stage is a pass over the same held-out text."
    return (
        f"The best weights are measured on {count(reached)} held-out tokens, the stages before on {count(sample)} of "
        "them, so the difference between them is partly one of texts."
    )
