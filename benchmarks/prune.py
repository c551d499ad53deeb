"""What half of the hidden units are worth: a model that was trained to do without them, beside one that has them all.

    python benchmarks/prune.py TEXT [--preset small] [--steps 400] [--tune 200] [--folder FOLDER]

Trained with the same flags and seed are a dense model of `steps` + `tune` steps, and one of `steps` steps with a group
lasso over hidden units as a proximal step. Its strength is sought until at least half of the units are zero, and no
more than `MOST` where `tries` allow. This one goes on for `tune` steps without the penalty, in which a unit that is
zero stays so, as it has no gradient, and is pruned. Printed are the bits per byte of both on all of the held-out text,
and how many times as fast a forward is, in turns: the median of the ratios within a round, with its 95% interval. The
goals are at most 1% more bits and at least 1.3 times as fast. Run it on a machine that does nothing else.

Runs stay in `--folder`, if it is given, and are not made a second time; the result is a row of `results/prune.csv`.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trainings

FIELDS = (
    "key", "sha256", "preset", "more", "seed", "steps", "tune", "coef", "gone", "of", "parameters", "parameters_before",
    "bits_dense", "bits_pruned", "worse", "faster", "low", "high", "threads", "commit", "machine", "torch",
)  # fmt: skip
OUT = Path(__file__).parent / "results" / "prune.csv"
MOST = 0.6
WORSE, FASTER = 0.01, 1.3


def sought(share: Callable[[float], float], coef: float, tries: int) -> float:
    """Return a coef at which at least half of the units are zero: the one with the fewest beyond, of those tried.

    `share` trains with a coef and returns the share of units that are zero. By factors of 4 a coef is sought on either
    side, and then the geometric mean of both, as often as `tries` allow, or until no more than `MOST` are zero.

    Raises:
        SystemExit: none that was tried makes half of the units zero.

    >>> round(sought(lambda coef: min(1.0, 0.55 * coef), 0.1, 6), 3)
    0.951
    """
    enough: dict[float, float] = {}
    low: float | None = None
    for _ in range(tries):
        found = share(coef)
        if found >= 0.5:
            enough[coef] = found
            if found <= MOST:
                break
        else:
            low = coef if low is None else max(low, coef)
        coef = between(low, min(enough) if enough else None, coef)
    if not enough:
        raise SystemExit(f"No coef up to {low:g} made half of the units zero: give a larger --coef, or more --tries.")
    return min(enough, key=enough.__getitem__)


def between(low: float | None, high: float | None, coef: float) -> float:
    """Return the coef to try behind `coef`, where `low` is too little and `high` enough, as far as that is known.

    >>> between(1.0, None, 1.0), between(None, 1.0, 1.0), between(1.0, 4.0, 4.0)
    (4.0, 0.25, 2.0)
    """
    if high is None:
        return coef * 4
    return coef / 4 if low is None else math.sqrt(low * high)


def train(out: Path, text: str, words: list[str]) -> None:
    """Train into a folder, if that has not ended yet."""
    facts = out / "facts.json"
    if facts.exists() and "outcome" in json.loads(facts.read_text()):
        return
    given = ["--resume", str(out)] if out.exists() else [text, *words, "--out", str(out)]
    subprocess.run([sys.executable, "-m", "mainstem", "train", *given], check=True, stdout=subprocess.DEVNULL)


def zeros(folder: Path) -> tuple[int, int]:
    """Return how many hidden units of a run's model are zero as a whole, and of how many."""
    from mainstem import loaded
    from mainstem.optim.units import units

    every = units(loaded.load(folder, prior=False).model, "hidden")
    gone = sum(int((each.flat([p.detach() for p in each.params]) == 0).all(1).sum()) for each in every)
    return gone, sum(each.count for each in every)


def bits(folder: Path, text: str) -> float:
    """Return the bits per byte of the model in a folder on all of the held-out text."""
    from mainstem import data, loaded
    from mainstem.measure.evaluate import evaluate
    from mainstem.runs.cache import cache_folder
    from mainstem.runs.run_folder import RunFolder

    found = loaded.load(folder, prior=False)
    corpus = data.prepare(found.run.data, cache_folder(RunFolder(folder)))
    return evaluate(found.model, corpus.held_out, context=found.model.context).bits_per_byte


def ratios(before: Path, after: Path, rounds: int) -> list[float]:
    """Return how many times as fast a forward of the second model is, round by round, both in turns."""
    import torch

    from mainstem import loaded

    models: list[Any] = [loaded.load(folder, prior=False).model for folder in (before, after)]
    generator = torch.Generator().manual_seed(0)
    x_BT = torch.randint(0, models[0].settings.vocab, (8, models[0].context), generator=generator)

    def seconds(model: Any) -> float:
        began = time.perf_counter()
        model(x_BT)
        return time.perf_counter() - began

    with torch.no_grad():
        for model in models:
            seconds(model)
        found = [[seconds(model) for model in models] for _ in range(rounds)]
    return [first / second for first, second in found]


def measured(given: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Train, prune and measure; return the row."""
    import torch
    from measure import interval

    torch.set_num_threads(given.threads)
    shape = ["--model.preset", given.preset, "--model.prior", "none", *given.more.split(), "--seed", str(given.seed)]
    train(folder / "dense", given.text, [*shape, *trainings.length(given.steps + given.tune)])

    def sparse(coef: float) -> Path:
        return folder / f"sparse-{coef:.3g}"

    def share(coef: float) -> float:
        lasso = f"optim.proximal.0.name=group_lasso optim.proximal.0.over=hidden optim.proximal.0.coef={coef:.3g}"
        words = [*shape, *trainings.words(lasso), *trainings.length(given.steps)]
        train(sparse(coef), given.text, words)
        gone, of = zeros(sparse(coef))
        print(f"coef {coef:.3g}: {gone:,} of {of:,} hidden units are zero", flush=True)
        return gone / of

    coef = sought(share, given.coef, given.tries)
    tuned, pruned = folder / f"tuned-{coef:.3g}", folder / f"pruned-{coef:.3g}"
    start = ["--train.init-from", str(sparse(coef)), *trainings.length(given.tune)]
    train(tuned, given.text, [*shape, *start])
    if not pruned.exists():
        subprocess.run([sys.executable, "-m", "mainstem", "prune", str(tuned), "--out", str(pruned)], check=True)
    known = json.loads((pruned / "facts.json").read_text())["pruned"]
    found = ratios(tuned, pruned, given.rounds)
    dense, fewer = bits(folder / "dense", given.text), bits(pruned, given.text)
    low, high = interval(found)
    counts = {"parameters": parameters(pruned), "parameters_before": parameters(tuned)}
    return {
        "coef": f"{coef:.3g}", "gone": known["hidden"], "of": known["of_hidden"], **counts,
        "bits_dense": round(dense, 4), "bits_pruned": round(fewer, 4), "worse": round(fewer / dense - 1, 4),
        "faster": round(statistics.median(found), 3), "low": round(low, 3), "high": round(high, 3),
        "threads": given.threads, "torch": torch.__version__,
    }  # fmt: skip


def parameters(folder: Path) -> int:
    """Return how many parameters the model in a folder has."""
    from mainstem import loaded

    return sum(p.numel() for p in loaded.load(folder, prior=False).model.parameters())


def said(row: dict[str, Any]) -> str:
    """Return a row as a sentence, and whether the goals are reached.

    >>> row = {"gone": 6, "of": 10, "bits_dense": 2.0, "bits_pruned": 2.01, "worse": 0.005, "faster": 1.4, "low": 1.3,
    ...        "high": 1.5, "parameters": 50, "parameters_before": 100}
    >>> said(row).split(". ")[1]
    '2.0100 bits per byte in place of 2.0000: 0.5% more (goal: at most 1%: reached)'
    """
    reached = ["reached" if good else "missed" for good in (row["worse"] <= WORSE, row["faster"] >= FASTER)]
    return (
        f"Without {row['gone']:,} of {row['of']:,} hidden units {row['parameters']:,} parameters are left of "
        f"{row['parameters_before']:,}. {row['bits_pruned']:.4f} bits per byte in place of {row['bits_dense']:.4f}: "
        f"{row['worse']:.1%} more (goal: at most {WORSE:.0%}: {reached[0]}). A forward is {row['faster']:.2f} times "
        f"as fast ({row['low']:.2f} to {row['high']:.2f}; goal: {FASTER}: {reached[1]})."
    )


def main() -> None:
    """Print what was lost and won, and add a row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--steps", type=int, default=400, help="with the group lasso")
    parser.add_argument("--tune", type=int, default=200, help="steps behind these, without it")
    parser.add_argument("--coef", type=float, default=1e-2, help="where the search begins")
    parser.add_argument("--tries", type=int, default=6, help="trainings of the search")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--threads", type=int, default=1, help="of the forwards that are timed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--more", default="", help="flags of every training, as '--train.batch 8'")
    parser.add_argument("--folder", type=Path, help="where runs stay")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    sha = trainings.digest(given.text)[1]
    known = {name: getattr(given, name) for name in ("preset", "more", "seed", "steps", "tune")}
    with tempfile.TemporaryDirectory() as temporary:
        row = measured(given, given.folder or Path(temporary))
    row = {"key": trainings.key(sha, *known.values(), row["coef"]), "sha256": sha, **known, **trainings.about(), **row}
    trainings.append(given.out, FIELDS, row)
    print(said(row))


if __name__ == "__main__":
    main()
