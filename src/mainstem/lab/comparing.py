"""Two configurations of the user's own as an experiment: which one is better? May import all but the cli.

Every training is a run like any other, in a folder of its own, so what a stop has cut off is gone on with.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from .. import config, data, train
from ..draw.chart import Figure
from ..errors import BadInput
from ..report import Page, metrics
from ..runs import facts
from ..train.language import Language
from .experiment import Cell, Contrast, Experiment, Numbers, against
from .figures import drawn, spread
from .result import Results
from .trial import Trial

DELTA = 0.01
"""The smallest difference of interest, in bits per byte, unless another one is given."""

_SCORE = Language().scores[-1]
"""What may be compared between any two runs, however their text became tokens."""


class Side(NamedTuple):
    """One of the two: what it is called, and its configuration."""

    name: str
    run: config.Run


def experiment(a: Side, b: Side, folder: Path, delta: float = DELTA) -> Experiment:
    """Return the question whether `b` is better than `a`, whose runs are kept in `folder`.

    Both ends of a training are compared: the best held-out pass (which decides) and the last one, in bits per byte,
    which do not depend on how text becomes tokens. Where a side has counts beside its network (`model.prior`), what
    each offers with them is compared first, and decides. Raises `BadInput` where that cannot be compared.
    """
    _equal_length(a, b)
    if a.run == msgspec.structs.replace(b.run, out=a.run.out):
        raise BadInput(f"{a.name} and {b.name} are the same configuration: change something in one of them.")
    cells = tuple(Cell(side.name, at={"arm": side.name}, whole=side.run) for side in (a, b))
    pair = against(b.name, a.name)
    ends = [
        Contrast(f"{b.name} is better at its best held-out pass.", pair, "best", _SCORE.unit, delta, -1),
        Contrast(f"{b.name} is better at its last held-out pass.", pair, "last", _SCORE.unit, delta, -1),
    ]
    if any(side.run.model.prior is not None for side in (a, b)):
        offers = f"{b.name} is better by all that it offers, counts beside the network included."
        ends.insert(0, Contrast(offers, pair, "offered", _SCORE.unit, delta, -1))
    return Experiment(
        name="compare",
        section="",
        claim=f"{b.name} is better than {a.name}.",
        question=f"Does {b.name} reach a lower {_SCORE.title} than {a.name}?",
        cells=cells,
        contrasts=tuple(ends),
        trial=lambda trial: run(trial, folder),
        figures=figures,
        conditions=_conditions(a, b),
    )


def run(trial: Trial, folder: Path) -> Numbers:
    """Train one of the two with one seed, in a folder below `folder`, and return what it reached."""
    kept = msgspec.structs.replace(trial.run, log=config.Log(), out="-")
    digest = hashlib.sha256(msgspec.json.encode(kept, order="sorted")).hexdigest()[:8]
    out = folder / f"{_file_name(trial.cell.name)}-seed{trial.run.seed}-{digest}"
    quiet = _Quiet(trial.corpus.doubts)
    done = train.run(msgspec.structs.replace(trial.run, out=str(out)), console=quiet, listeners=[Page(quiet.warn)])
    found = metrics.read(out / "metrics.jsonl", _SCORE)
    passes = [bin for bin in found.evaluations if bin.mean("held_out") is not None]
    last = found.last
    assert last is not None
    told = (facts.read(out) or {}).get("outcome", {}).get("prior", {})
    return {
        "offered": told.get("mixed_bpb", done.best.values[_SCORE.name]),
        "best": done.best.values[_SCORE.name],
        "last": last.value,
        "gap": last.gap.value if last.gap is not None else 0.0,
        "steps": float(found.last_step),
        "seconds": done.seconds,
        "curve_steps": [bin.x for bin in passes],
        "curve": [value for bin in passes if (value := bin.mean("held_out")) is not None],
    }


def figures(results: Results) -> Sequence[Figure]:
    """Held-out loss over steps, and the best of every seed."""
    curves, best = {}, {}
    for cell in results.experiment.cells:
        lines = results.curves(cell.name, "curve")
        places = results.curves(cell.name, "curve_steps")
        shortest = min(map(len, lines), default=0)
        points = [spread(places[0][i], [line[i] for line in lines]) for i in range(shortest)]
        curves[cell.name] = [point for point in points if point is not None]
        each = [spread(float(i), [value]) for i, value in enumerate(results.values(cell.name, "best"))]
        best[cell.name] = [point for point in each if point is not None]
    return [
        drawn("compare-curves", "Held-out loss", "Mean over seeds; the band holds all.", curves, "step", _SCORE.unit),
        drawn("compare-seeds", "Best held-out pass by seed", "A seed has the same order "
              "of the text, the same masks, and the same initial weights by name on both sides.",
              best, "seed", _SCORE.unit, names=[str(seed) for seed in results.seeds]),
    ]  # fmt: skip


def check(a: Side, b: Side, read: Any) -> None:
    """Raise `BadInput` where the two are not judged on the same text; `read` prepares a corpus."""
    found: list[data.Corpus] = [read(side.run.data) for side in (a, b)]
    held = [corpus.facts["held_out_hash"] for corpus in found]
    if held[0] != held[1]:
        raise BadInput(
            f"{a.name} and {b.name} hold out different texts ({held[0][:12]} and {held[1][:12]}), so their losses "
            "cannot be compared: give both the same data.paths, data.held_out and data.split."
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
            f"{a.name} trains for {lengths[0][1]} and {b.name} for {lengths[1][1]}, in tokens not the same length: "
            "give --train.steps N or --train.budget 60s, which is for both."
        )


def _conditions(a: Side, b: Side) -> str:
    left, right = (_flat(config.plain(side.run)) for side in (a, b))
    names = [name for name in left if left[name] != right.get(name) and name not in ("out", "seed")]
    names += [name for name in right if name not in left]
    told = "; ".join(f"{name} {left.get(name)} and {right.get(name)}" for name in names[:20])
    more = f"; and {len(names) - 20} more" if len(names) > 20 else ""
    length = f"train.budget {a.run.train.budget} each" if a.run.train.budget else "equally many tokens"
    return f"{a.name} and {b.name} differ in: {told}{more}. Trained for {length}."


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {prefix: tree}
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= _flat(value, f"{prefix}.{name}" if prefix else name)
    return found


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)[:60].strip(".") or "side"


class _Quiet:
    """A run among many says nothing but its warnings, save doubts about the text, which are said once for all runs."""

    def __init__(self, doubts: Sequence[str]) -> None:
        self._doubts = doubts

    def say(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        from ..train.console import make

        if text not in self._doubts:
            make().warn(text)

    def show(self, numbers: dict[str, Any]) -> None:
        pass

    def measuring(self, what: str, done: int, total: int) -> None:
        pass

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        yield
