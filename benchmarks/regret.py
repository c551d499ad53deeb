"""What the tables that choose a run lose to the best arm that was found for a text: `python benchmarks/regret.py`.

For each text and time of `results/recipe.csv` and `results/choice.csv`, the arm that `mainstem.choice` would take there
stands beside the best arm of them, by the means of seeds that both have. A chosen arm that nobody has trained is
printed as a line for `recipe.py`. Nothing is trained here.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import trainings

from mainstem import choice, config
from mainstem.choice.table import FIXED, USABLE

RESULTS = Path(__file__).parent / "results"
PLAIN = {"optim.decay": 0.1, "train.batch": 16, "noise.rate": 0.0, "optim.lr": 2e-2, "optim.muon_lr": 0.028}
"""What an arm without the flag has."""

Cell = tuple[str, float]


def cells() -> dict[Cell, dict[str, dict[int, dict[str, str]]]]:
    """Return the rows of every text and time, by arm and seed."""
    found: dict[Cell, dict[str, dict[int, dict[str, str]]]] = {}
    for name in ("recipe", "choice"):
        for row in trainings.read(RESULTS / f"{name}.csv"):
            group = found.setdefault((row["text"], float(row["seconds"])), {})
            group.setdefault(row["arm"], {})[int(row["seed"])] = row
    return found


def chosen(row: dict[str, str], seconds: float) -> str:
    """Return the arm that the tables choose for the text of a row in so many seconds of steps."""
    vocabulary, tokens = int(row["vocabulary"]), int(row["train_tokens"])
    kind = "char" if vocabulary < 1024 else "bpe"
    corpus = choice.Corpus(int(row["bytes"]) or 12_000_000, 1, tokens, tokens // 9, kind, vocabulary)
    run = config.load(recipe="default")
    made = choice.choose(corpus, choice.Speed(), seconds / USABLE + FIXED, run).values
    flags = {name: made[name] for name in PLAIN if name in made and made[name] != PLAIN[name]}
    words = [f"{name}={value:g}" for name, value in sorted(flags.items())]
    return " ".join([f"{made['model.layers']}x{made['model.width']}", *words])


def table() -> str:
    """Return the table, and the arms that are missing, in Markdown."""
    heads = ("text", "seconds", "chosen", "bits per byte", "best found", "bits per byte", "seeds", "lost")
    lines, missing = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"], []
    for (text, seconds), arms in sorted(cells().items()):
        row = next(iter(next(iter(arms.values())).values()))
        if text == "dna":
            row = next(iter(arms["4x128 data.tokenizer=char"].values()))
        name = chosen(row, seconds)
        key = f"{name} data.tokenizer=char" if text == "dna" else name
        key = " ".join([key.split()[0], *sorted(key.split()[1:])])
        if key not in arms:
            missing.append(f"{text} {seconds:g} 0 {key}")
            continue
        both = {other: sorted(set(arms[other]) & set(arms[key])) for other in arms}
        means = {
            other: statistics.mean(float(arms[other][seed]["bits_per_byte"]) - float(arms[key][seed]["bits_per_byte"])
                                   for seed in seeds)
            for other, seeds in both.items() if seeds
        }  # fmt: skip
        best = min(means, key=means.__getitem__)
        own = statistics.mean(float(arms[key][seed]["bits_per_byte"]) for seed in both[best])
        cells_ = (text, f"{seconds:g}", key, f"{own:.3f}", best, f"{own + means[best]:.3f}", len(both[best]),
                  f"{abs(means[best]) / (own + means[best]):.1%}")  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells_))} |")
    return "\n".join([*lines, *(["", "Not trained:", "", *missing] if missing else [])])


if __name__ == "__main__":
    print(table())
