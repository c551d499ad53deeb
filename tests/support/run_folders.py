"""Run folders as training leaves them, made up, for the tests of the report."""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainstem import config

LN2 = math.log(2)

EVIL = (
    "</script><script>bad()</script><img src=x onerror=bad()>\"'`{{ 7*7 }}{% raw %}]]>--><!--"
    "\x00\x1b[31m\u2028\u202e&lt;"
)


@dataclass(frozen=True)
class Made:
    """What a made-up run is like; `turn` is the share of the steps after which it overfits, 1 for never."""

    steps: int = 2000
    eval_every: int = 100
    quantities: int = 50
    turn: float = 0.6
    layers: int = 6
    seed: int = 0
    finished: bool = True


SAMPLE = """\
    def __init__(self, path, mode="r", *, encoding=None):
        \"\"\"Open the archive at `path`.

        `mode` is "r" to read, "w" to write.
        \"\"\"
        if mode not in ("r", "w"):
            raise ValueError(f"mode must be 'r' or 'w', not {mode!r}")
        self._path = path
        self._entries: dict[str, bytes] = {}
"""


def lines(made: Made) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl: a loss that falls by a power law, a gap that grows after the turn."""
    draw = random.Random(made.seed)
    found, tokens, seconds = [], 0, 0.0
    for step in range(1, made.steps + 1):
        share = step / made.steps
        seen = 1.25 + 3.2 * (1 + 40 * share * made.steps / 500) ** -0.62
        tokens += 4096
        phases = {"data": 0.0008, "forward": 0.021, "backward": 0.043, "update": 0.006}
        phases = {name: took * (1 + 0.1 * draw.random()) for name, took in phases.items()}
        line: dict[str, Any] = {
            "step": step, "lr": 1e-3 * min(step / (0.05 * made.steps), 0.5 + 0.5 * math.cos(math.pi * share)),
            "tokens": tokens, "loss": seen * 1.04 + draw.gauss(0, 0.035),
            "grad_norm": math.exp(draw.gauss(-0.4 + 1.6 * math.exp(-30 * share), 0.16)),
        }  # fmt: skip
        if made.quantities and step % made.quantities == 0:
            line |= depth(made, share, draw)
        if step % made.eval_every == 0 or step == made.steps:
            gap = 0.03 + 0.05 * share + 1.4 * max(0.0, share - made.turn) ** 1.5
            held = seen + gap - 0.35 * max(0.0, share - made.turn) ** 1.5
            line["held_out"] = {"nats_per_token": held, "bits_per_byte": held / LN2 / 1.0, "tokens": 16384,
                                "error": 0.01}  # fmt: skip
            line["gap"] = {"value": gap, "low": gap - 0.02, "high": gap + 0.02, "training": held - gap,
                           "held_out": held}  # fmt: skip
            phases["evaluate"] = 0.9
            phases["save"] = 0.11
        seconds += sum(phases.values()) + 0.0004
        found.append({**line, "seconds": round(seconds, 4), "phases": phases})
    return found


def depth(made: Made, share: float, draw: random.Random) -> dict[str, list[float]]:
    taps = 2 * made.layers + 1
    stream = [(0.6 + share) * (1 + (0.2 + 0.5 * share) * at) for at in range(taps)]
    gradient = [2e-5 * (1.6 - share) * 0.93**at for at in range(taps)]
    return {
        name: [value * math.exp(draw.gauss(0, 0.03)) for value in values]
        for name, values in (("stream", stream), ("gradient", gradient))
    }


def parameters(made: Made) -> list[dict[str, Any]]:
    width, rows = 128, [("embedding.weight", [256, 128], "embedding", 0.1)]
    for block in range(made.layers):
        at = f"blocks.{block}"
        rows += [(f"{at}.attention.branch.rmsnorm.gain", [width], "norm", 0.0)]
        rows += [
            (f"{at}.attention.branch.attention.{name}", [width, width], f"attention.{name}", 0.1)
            for name in ("query", "key", "value", "out")
        ]
        rows += [
            (f"{at}.feedforward.branch.rmsnorm.gain", [width], "norm", 0.0),
            (f"{at}.feedforward.branch.feedforward.into", [4 * width, width], "feedforward.in", 0.1),
            (f"{at}.feedforward.branch.feedforward.out", [width, 4 * width], "feedforward.out", 0.1),
        ]
    rows += [("stream.norm.gain", [width], "norm", 0.0)]
    return [
        {"name": name, "shape": shape, "role": role, "decay": decay,
         "penalties": ["L1(1e-06, on='feedforward')"] if role.startswith("feedforward") else []}
        for name, shape, role, decay in rows
    ]  # fmt: skip


def facts(made: Made, found: list[dict[str, Any]]) -> dict[str, Any]:
    evaluations = [line for line in found if "held_out" in line]
    values: dict[str, Any] = {
        "version": 1,
        "command": ["mainstem", "train", "my corpus.txt", "--out", "runs/first", "--noise.rate", "0.1"],
        "versions": {"python": "3.11.7", "mainstem": "0.1.0", "torch": "2.13.0", "numpy": "2.3.5"},
        "machine": {"system": "Linux", "architecture": "x86_64", "cores": 2, "instructions": "AVX512", "threads": 2,
                    "device": "cpu"},
        "corpus": {
            "hash": "9f2c" * 16, "held_out_hash": "17ab" * 16, "documents": 612, "bytes": 11_154_394,
            "tokens": 11_154_394, "train_tokens": 10_038_954, "train_documents": 551, "train_bytes": 10_038_954,
            "held_out_tokens": 1_115_440, "held_out_documents": 61, "held_out_bytes": 1_115_440, "split": "document",
            "split_reason": "there are 612 documents", "tokenizer": "byte", "tokenizer_reason": "asked for",
            "vocab_size": 257, "origin": "/data/my corpus.txt", "format": "text", "files": 1, "left_out": {},
        },
        "parameters": parameters(made), "num_parameters": 1_214_080, "bytes_per_token": 1.0,
    }  # fmt: skip
    gap = {"value": 0.001, "low": -0.02, "high": 0.02, "training": 5.549, "held_out": 5.55}
    values["start"] = {
        "step": 0, "nats_per_token": 5.55, "bits_per_byte": 8.0, "tokens": 16384, "error": 0.001, "gap": gap,
    }  # fmt: skip
    if made.finished and evaluations:
        best = min(evaluations, key=lambda line: line["held_out"]["nats_per_token"])
        values["yardsticks"] = {
            "unigram_bpb": 4.812,
            "counts_tokens_bpb": 2.296,
            "adaptive_tokens_bpb": 2.204,
            "tokens_order": 6.0,
            "repeated_share": 0.012,
        }
        values["remarks"] = ["The model beats every yardstick."]
        values["calibration"] = {"tokens": 16384, "ece": 0.0125, "confidence": 0.625, "right": 0.5, "error": 0.03,
                                 "bins": [[0.625, 0.5, 16384]]}  # fmt: skip
        values["choice"] = {
            "budget": 150.0, "steps": 2000, "given": ["model.layers"],
            "decisions": [{"title": "size", "said": "6 x 128", "values": {}, "why": "2,000 steps fit (measured)"}],
        }  # fmt: skip
        values["outcome"] = {
            "reason": "steps", "best_step": best["step"],
            "best": {"step": best["step"], **best["held_out"], "error": None},
            "last": {"step": found[-1]["step"], **evaluations[-1]["held_out"]}, "seconds": found[-1]["seconds"],
        }  # fmt: skip
    return values


def make(folder: Path, made: Made | None = None, /, **settings: Any) -> Path:
    """Fill `folder` with a made-up run and return it; `settings` go to the configuration's run."""
    made = made or Made()
    folder.mkdir(parents=True, exist_ok=True)
    run = config.Run(
        **{"noise": config.Noise(rate=0.1, depth=0.05), "train": config.Train(steps=made.steps),
           "evaluate": config.Evaluate(every=100),
           "penalty": [config.PenaltyTerm(name="l1", coef=1e-6, on="feedforward")], **settings}
    )  # fmt: skip
    found = lines(made)
    (folder / "config.yaml").write_text(config.dump(run), encoding="utf-8")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in found), encoding="utf-8")
    (folder / "facts.json").write_text(json.dumps(facts(made, found)), encoding="utf-8")
    samples = [
        {"prompt": "class Archive:\n", "text": SAMPLE, "seed": seed, "temperature": 0.8, "top_k": 40} for seed in (0, 1)
    ]
    if made.finished:
        (folder / "samples.json").write_text(json.dumps(samples), encoding="utf-8")
    return folder


def evil_folder(folder: Path) -> Path:
    """A run in which everything that comes from a user's data means harm."""
    make(folder, Made(steps=300))
    facts = json.loads((folder / "facts.json").read_text())
    facts["command"] = facts["resumed_by"] = ["mainstem", EVIL]
    facts["corpus"] = {EVIL: EVIL, "origin": EVIL, "files": [EVIL] * 3}
    facts["versions"] = {EVIL: EVIL}
    facts["choice"] = {"budget": EVIL, "given": [EVIL], "decisions": [{"title": EVIL, "said": EVIL, "why": EVIL}, EVIL]}
    facts["calibration"] = {"ece": EVIL, "error": EVIL}
    facts["machine"] = {EVIL: {EVIL: EVIL}}
    for row in facts["parameters"][:3]:
        row |= {"name": EVIL, "role": EVIL, "shape": [EVIL], "penalties": [EVIL]}
    (folder / "facts.json").write_text(json.dumps(facts))
    sample = {"prompt": EVIL, "text": EVIL, "seed": EVIL, EVIL: EVIL}
    (folder / "samples.json").write_text(json.dumps([sample]))
    text = (folder / "config.yaml").read_text()
    quoted = json.dumps(EVIL)
    text = text.replace("schedule: cosine", f"schedule: {quoted}").replace("decay_on: null", f"decay_on: {quoted}")
    (folder / "config.yaml").write_text(text + f"{quoted}: {quoted}\n")
    with open(folder / "metrics.jsonl", "a") as stream:
        stream.write(json.dumps({"step": 301, "phases": {EVIL: 1.0}, "loss": EVIL}) + "\n" + EVIL + "\n")
    return folder
