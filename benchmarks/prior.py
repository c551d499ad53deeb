"""Counts around the whole network: what mixing a trained network with Kneser-Ney over its own tokens takes away.

    python benchmarks/prior.py kjv shakespeare stdlib --texts FOLDER --seeds 0,1,2,3 --seconds 51
    python benchmarks/prior.py --table

A training is the recipe `default` with the number of steps that its seconds buy on two idle cores, as in `recipe.py`.
Of its best weights and of counts (`mainstem.counts`, the order chosen on the last tenth of the training text) all
held-out tokens are scored, in bits per byte: the network alone, frozen counts alone, both with one share, and the same
with adaptive counts. The two halves of the held-out part are each scored with the share that fits the other half, and
`low` and `high` are the ends of the 95% interval of what the frozen mixture takes away from the network, in percent, by
how much windows differ. Adaptive counts come in with the frozen share.

Rows are appended to the CSV as they are made, keyed by a hash of what they are of; a second run skips what is there.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from pathlib import Path

import numpy as np
import recipe
import trainings

FIELDS = (
    "key", "text", "bytes", "sha256", "seconds", "arm", "seed", "vocabulary", "steps", "train_tokens", "passes",
    "order", "share", "network", "counts", "mixed", "low", "high", "adaptive", "mixed_adaptive", "commit", "machine",
    "torch", "wall",
)  # fmt: skip
OUT = Path(__file__).parent / "results" / "prior.csv"
NORMAL = 1.96


def scored(out: Path) -> dict[str, object]:
    """Return the bits per byte of the best model of the run in `out`, of counts, and of both together."""
    import torch

    import mainstem
    from mainstem import counts, data, measure
    from mainstem.measure.evaluate import error
    from mainstem.runs.cache import cache_folder
    from mainstem.runs.run_folder import RunFolder

    loaded = mainstem.load(out)
    corpus = data.prepare(loaded.run.data, cache_folder(RunFolder(out)))
    train, held, vocab = np.asarray(corpus.train.ids), np.asarray(corpus.held_out.ids), corpus.tokenizer.vocab_size
    passed = measure.evaluate(loaded.model, corpus.held_out)
    assert passed.losses_N is not None
    network = -passed.losses_N.double().numpy()
    found = counts.score(np.concatenate([train, held]), len(train), vocab)
    assert found.adaptive is not None
    frozen, adaptive = found.frozen[1:], found.adaptive[1:]
    mixed, share = counts.crossed(network, frozen), counts.share(network, frozen)
    per_byte = len(held) / len(network) / math.log(2) / corpus.held_out.num_bytes
    gain_W = torch.tensor([part.sum() for part in np.split(mixed - network, passed.tokens_W.cumsum(0).int()[:-1])])
    gain, unsure = float(gain_W.sum()), NORMAL * error(gain_W, passed.tokens_W) * len(network)
    alone = -float(network.sum())
    bits = {
        "network": network, "counts": frozen, "mixed": mixed, "adaptive": adaptive,
        "mixed_adaptive": counts.mix(network, adaptive, share),
    }  # fmt: skip
    return {
        "order": found.order, "share": round(share, 4),
        "low": round(100 * (gain - unsure) / alone, 3), "high": round(100 * (gain + unsure) / alone, 3),
        **{name: round(-float(logs.sum()) * per_byte, 5) for name, logs in bits.items()},
    }  # fmt: skip


def sweep(given: argparse.Namespace) -> None:
    """Train and score what has no row yet; seed by seed, so that an early end leaves pairs."""
    for seed in given.seeds.split(","):
        for text in given.names:
            arm = recipe.Arm(text, given.seconds, int(seed), f"{recipe.BASE} {given.flags}".strip())
            path = None if text == "stdlib" else str(given.texts / f"{text}.txt")
            size, sha = trainings.digest(path)
            key = trainings.key("prior", sha, arm.seconds, arm.seed, arm.name)
            if key in {row["key"] for row in trainings.read(given.out)}:
                continue
            vocabulary = recipe.vocabulary_of(arm, path)
            _, steps = recipe.steps_of(arm, vocabulary)
            words = [word for name, value in arm.flags.items() for word in (f"--{name.replace('_', '-')}", value)]
            words += ["--seed", seed, *trainings.length(steps)]
            came = trainings.trained(path, words, scored)
            row = {
                "key": key, "text": text, "bytes": size, "sha256": sha, "seconds": arm.seconds, "arm": arm.name,
                "seed": seed, "vocabulary": vocabulary, **trainings.about(), **came,
            }  # fmt: skip
            trainings.append(given.out, FIELDS, row)


def table(path: Path) -> str:
    """Return means over seeds, and what the mixture takes away from the network, in Markdown."""
    cells: dict[tuple[str, float], list[dict[str, str]]] = {}
    for row in trainings.read(path):
        cells.setdefault((row["text"], float(row["seconds"])), []).append(row)
    names = ("network", "counts", "mixed", "adaptive", "mixed_adaptive")
    heads = ("text", "seconds", "seeds", "passes", "order", "share", *names, "mixed less network", "least and most",
             "adaptive mixed less the better")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |".replace("_", " "), f"|{'---|' * len(heads)}"]
    for (text, seconds), rows in sorted(cells.items()):
        mean = {name: statistics.mean(float(row[name]) for row in rows) for name in (*names, "share", "passes")}
        gains = [100 * (float(row["mixed"]) / float(row["network"]) - 1) for row in rows]
        also = 100 * (mean["mixed_adaptive"] / min(mean["network"], mean["adaptive"]) - 1)
        cell = (text, f"{seconds:g}", len(rows), f"{mean['passes']:.1f}", rows[0]["order"], f"{mean['share']:.2f}",
                *(f"{mean[name]:.4f}" for name in names), f"{statistics.mean(gains):+.1f}%",
                f"{max(gains):+.1f}% to {min(gains):+.1f}%", f"{also:+.1f}%")  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cell))} |")
    return "\n".join(lines)


def main() -> None:
    """Sweep, score one run that is there, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="texts, as FOLDER/NAME.txt; stdlib for Python's standard library")
    parser.add_argument("--texts", type=Path, default=Path(), help="the folder that has the texts")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--seconds", type=float, default=51.0)
    parser.add_argument("--flags", default="", help="of every training, as 'model.width=64 model.heads=2'")
    parser.add_argument("--run", type=Path, help="the folder of a run to score in place of training any")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if given.table:
        print(table(given.out))
    elif given.run:
        print(json.dumps(scored(given.run)))
    else:
        sweep(given)


if __name__ == "__main__":
    main()
