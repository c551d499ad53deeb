"""Configurations of the user's own as an experiment: which is better than the first?

Every training is a run like any other, in a folder of its own, so what a stop has cut off is gone on with.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from .. import config, data, train
from ..draw.chart import Figure
from ..errors import BadInput
from ..report import Page, metrics
from ..runs import facts
from ..runs.score import NATS
from ..train.language import Language
from ..wording import listed
from .experiment import Cell, Contrast, Experiment, Numbers, against, losses, number
from .figures import Spread, drawn, spread
from .result import Results
from .trial import Trial

DELTA = 0.01
"""The smallest difference of interest, in bits per byte, unless another one is given."""

_SCORE = Language().scores[-1]
"""What may be compared between any two runs, however their text became tokens."""


class Side(NamedTuple):
    """One of those that are compared: what it is called, and its configuration."""

    name: str
    run: config.Run


def experiment(sides: Sequence[Side], folder: Path, delta: float = DELTA) -> Experiment:
    """Return the question whether each of the other `sides` is better than the first, whose runs are kept in `folder`.

    Both ends of a training are compared: the best held-out pass (which decides) and the last one, in bits per byte,
    which do not depend on how text becomes tokens. Where a side has counts beside its network (`model.prior`), what
    each offers with them is compared first, and decides. Raises `BadInput` where that cannot be compared.
    """
    first, *others = sides
    for side in others:
        _equal_length(first, side)
    for place, side in enumerate(sides):
        for other in sides[place + 1 :]:
            if side.run == msgspec.structs.replace(other.run, out=side.run.out):
                raise BadInput(
                    f"{side.name} and {other.name} are the same configuration: change something in one of them."
                )
    ends = {"best": "at its best held-out pass", "last": "at its last held-out pass"}
    if any(side.run.model.prior is not None for side in sides):
        ends = {"offered": "by all that it offers, counts beside the network included", **ends}
    contrasts = tuple(
        Contrast(f"{side.name} is better than {first.name} {how}.", against(side.name, first.name), value, _SCORE.unit,
                 delta, -1, learned_by=_offered if value == "offered" else losses)
        for value, how in ends.items() for side in others
    )  # fmt: skip
    one = others[0].name
    question = f"Does {one} reach a lower {_SCORE.title} than {first.name}?"
    return Experiment(
        name="compare",
        section="",
        claim=f"{one} is better than {first.name}.",
        question=question if len(others) == 1 else f"Which reaches a lower {_SCORE.title} than {first.name}?",
        cells=tuple(Cell(side.name, at={"arm": side.name}, whole=side.run) for side in sides),
        contrasts=contrasts,
        trial=lambda trial: run(trial, folder),
        figures=figures,
        conditions=_conditions(sides),
    )


def digest(sides: Sequence[Side]) -> str:
    """Return what tells these configurations from others, whatever their order and their seeds."""
    each = sorted(_digest(msgspec.structs.replace(side.run, seed=0)) for side in sides)
    return hashlib.sha256("".join(each).encode()).hexdigest()[:8]


def _digest(run: config.Run) -> str:
    """Return a name for a configuration; where it is written and what is shown decide nothing."""
    kept = msgspec.structs.replace(run, log=config.Log(), out="-")
    return hashlib.sha256(msgspec.json.encode(kept, order="sorted")).hexdigest()[:8]


def run(trial: Trial, folder: Path) -> Numbers:
    """Train one side with one seed, in a folder below `folder`, and return what it reached."""
    out = folder / f"{file_name(trial.cell.name)}-seed{trial.run.seed}-{_digest(trial.run)}"
    quiet = _Quiet(trial)
    done = train.run(msgspec.structs.replace(trial.run, out=str(out)), console=quiet, listeners=[Page(quiet.warn)])
    trial.seconds = done.seconds
    found = metrics.read(out / "metrics.jsonl", _SCORE)
    passes = [bin for bin in found.evaluations if bin.mean("held_out") is not None]
    last = found.last
    assert last is not None
    told = (facts.read(out) or {}).get("outcome", {}).get("prior", {})
    return {
        "offered": told.get("mixed_bpb", done.best.values[_SCORE.name]),
        "best": done.best.values[_SCORE.name],
        "last": last.value,
        "held_out": done.best.values[NATS.name],
        "gap": last.gap.value if last.gap is not None else math.nan,
        "steps": float(found.last_step),
        "seconds": done.seconds,
        "curve_steps": [bin.x for bin in passes],
        "curve": [value for bin in passes if (value := bin.mean("held_out")) is not None],
    }


def figures(results: Results) -> Sequence[Figure]:
    """Held-out loss over steps, and the best of every seed."""
    curves, best = {}, {}
    for cell in results.experiment.cells:
        curves[cell.name] = _together(results, cell.name)
        each = [spread(float(i), [value]) for i, value in enumerate(results.values(cell.name, "best"))]
        best[cell.name] = [point for point in each if point is not None]
    return [
        drawn("compare-curves", "Held-out loss", "Mean over seeds at the steps at which all were measured; the band "
              "holds all.", curves, "step", _SCORE.unit),
        drawn("compare-seeds", "Best held-out pass by seed", "On both sides a seed has the same initial weights by "
              "name, the same masks, and the same order of the text, where shapes, batches and tokens are the same.",
              best, "seed", _SCORE.unit, names=[str(seed) for seed in results.seeds]),
    ]  # fmt: skip


def _offered(numbers: Numbers) -> dict[str, float]:
    """Return the loss of all that a run offers: that of its network by as much lower as counts make its score."""
    share = number(numbers, "offered") / (number(numbers, "best") or 1.0)
    return {name: value * share for name, value in losses(numbers).items()}


def _together(results: Results, cell: str) -> list[Spread]:
    """Return the held-out losses of a side at the steps at which every seed was measured.

    Within a budget each ends at a step of its own. Where no step is that of all, the ends stand at their mean.
    """
    places, losses = results.curves(cell, "curve_steps"), results.curves(cell, "curve")
    found = [dict(zip(xs, ys, strict=True)) for xs, ys in zip(places, losses, strict=True) if xs]
    if not found:
        return []
    common = sorted(set.intersection(*map(set, found)))
    points = [spread(x, [one[x] for one in found]) for x in common]
    if not points:
        ends = [max(one) for one in found]
        points = [spread(math.fsum(ends) / len(ends), [one[x] for one, x in zip(found, ends, strict=True)])]
    return [point for point in points if point is not None]


def check(sides: Sequence[Side], read: Any) -> None:
    """Raise `BadInput` where not all are judged on the same text; `read` prepares a corpus."""
    found: list[data.Corpus] = [read(side.run.data) for side in sides]
    held = [corpus.facts["held_out_hash"] for corpus in found]
    for side, other in zip(sides, held, strict=True):
        if other != held[0]:
            raise BadInput(
                f"{sides[0].name!r} and {side.name!r} hold out different texts ({held[0][:12]} and {other[:12]}), so "
                "their losses cannot be compared: give both the same data.paths, data.held_out and data.split."
            )


def _equal_length(a: Side, b: Side) -> None:
    lengths = []
    for side in (a, b):
        section = side.run.train
        tokens = section.batch * (side.run.model.context or 1)
        given = {"budget": section.budget, "epochs": section.epochs, "steps": section.steps}
        said = next((f"train.{name} {value}" for name, value in given.items() if value is not None), "no length")
        same: Any = said if section.steps is None else ("tokens", section.steps * tokens)
        lengths.append((same, said))
    if lengths[0][0] != lengths[1][0]:
        raise BadInput(
            f"{a.name!r} trains for {lengths[0][1]} and {b.name!r} for {lengths[1][1]}, in tokens not the same length: "
            "give --train.steps N or --train.budget 60s, which is for both."
        )


def _conditions(sides: Sequence[Side]) -> str:
    flat = [_flat(config.plain(side.run)) for side in sides]
    names = [name for name in dict.fromkeys(name for one in flat for name in one) if name not in ("out", "seed")]
    differ = [name for name in names if any(one.get(name) != flat[0].get(name) for one in flat)]
    told = "; ".join(f"{name} {listed([str(one.get(name)) for one in flat])}" for name in differ[:20])
    more = f"; and {len(differ) - 20} more" if len(differ) > 20 else ""
    train = sides[0].run.train
    given = [f"train.{name} {value} each" for name in ("budget", "epochs") if (value := getattr(train, name))]
    length = given[0] if given else "equally many tokens" if train.steps else "as many passes"
    if any(side.run.train.patience for side in sides):
        length += ", or until patience ends it"
    return f"{listed([side.name for side in sides])} differ in: {told}{more}. Trained for {length}."


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {prefix: tree}
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= _flat(value, f"{prefix}.{name}" if prefix else name)
    return found


def file_name(name: str) -> str:
    """Return a name without what a folder's may not have.

    Example:
        >>> file_name("a/b c"), file_name("..")
        ('a-b-c', 'side')
    """
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)[:60].strip(".") or "side"


class _Quiet:
    """A run among many says how far it is and what it warns of, but for doubts about the text, which are said once."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def say(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        from ..train.console import make

        if text not in self._trial.corpus.doubts:
            make().warn(text)

    def show(self, numbers: dict[str, Any]) -> None:
        self._trial.tell(numbers["step"], numbers["steps"])

    def measuring(self, what: str, done: int, total: int) -> None:
        pass

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        yield
