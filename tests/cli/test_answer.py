"""With --json a command prints one object, whose numbers are those on the screen, and nothing else."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mainstem.cli.answer import Answer
from mainstem.cli.main import main

Capture = pytest.CaptureFixture[str]


def answered(words: list[str], capsys: Capture) -> tuple[dict[str, Any], str]:
    """Return the object that a command prints, and what people read meanwhile."""
    capsys.readouterr()
    assert main(words) == 0
    out, read = capsys.readouterr()
    assert out.count("\n") == 1 and out.isascii()
    found: dict[str, Any] = json.loads(out)
    return found, read


def test_train(corpus: Path, tmp_path: Path, tiny: tuple[str, ...], capsys: Capture) -> None:
    found, read = answered(["train", str(corpus), "--json", "--out", str(tmp_path / "run"), *tiny], capsys)
    facts = json.loads((tmp_path / "run" / "facts.json").read_text())
    assert {name: found[name] for name in facts["outcome"]} == facts["outcome"]
    assert (found["run"], found["reason"], found["task"]) == (str(tmp_path / "run"), "steps", "language")
    assert (found["yardsticks"], found["length"]["steps"]) == (facts["yardsticks"], 4)
    best = found["best"]
    error = f" +- {best['error']:.2g} (standard error of a sample)" if best["error"] is not None else ""
    said = f"{best['nats_per_token']:.4f}{error} nats per token, {best['bits_per_byte']:.4f} bits per byte"
    text = " ".join(read.split())
    assert said in text
    prior, yardsticks = found["prior"], found["yardsticks"]
    mixed = f"with counts {prior['mixed_bpb']:.4f} bits per byte" if "share" in prior else prior["left_out"]
    assert mixed in text
    for kind in ("unigram", "counts_tokens", "adaptive_tokens"):
        assert f"{kind.partition('_')[0]} {yardsticks[f'{kind}_bpb']:.4f}" in text


def test_a_plan_is_for_people(corpus: Path, capsys: Capture) -> None:
    assert main(["train", str(corpus), "--plan", "--json"]) == 2
    assert "--plan and --json are both given" in capsys.readouterr().err


def test_evaluate(finished: Path, corpus: Path, capsys: Capture) -> None:
    found, read = answered(["evaluate", str(finished), "--json"], capsys)
    read = " ".join(read.split())  # lines are cut between words
    assert f"{found['nats_per_token']:.4f} nats per token, {found['bits_per_byte']:.4f} bits per byte" in read
    assert f"{found['tokens']:,} tokens, {found['bytes']:,} bytes" in read
    assert f"unigram {found['yardsticks']['unigram_bpb']:.4f}" in " ".join(read.split())
    both = found["with_counts"]
    said = f"{both['nats_per_token']:.4f} nats per token, {both['bits_per_byte']:.4f} bits per byte with counts"
    assert said in " ".join(read.split())
    stride, _ = answered(["evaluate", str(finished), "--json", "--stride", "2"], capsys)
    assert stride["strided"]["stride"] == 2 and stride["strided"]["nats_per_token"] != found["nats_per_token"]
    assert stride["nats_per_token"] == found["nats_per_token"]
    assert found["on"] == "its held-out part"
    assert answered(["evaluate", str(finished), str(corpus), "--json"], capsys)[0]["on"] == [str(corpus)]


def test_lab(corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    small = ["--model.width", "8", "--model.heads", "1", "--model.context", "16", "--train.steps", "4",
             "--train.batch", "4"]  # fmt: skip
    out = tmp_path / "lab"
    words = ["lab", "vanishing", "--seeds", "2", "--json", "--out", str(out), "--data.paths", str(corpus), *small]
    found, read = answered(words, capsys)
    (own,) = found["experiments"]
    assert own.pop("page") == str(out / "vanishing.html")
    assert own == json.loads((out / "vanishing.json").read_text())
    assert f"vanishing: {own['verdict'].upper()}." in read
    listed, _ = answered(["lab", "--json", "--out", str(out)], capsys)
    verdicts = {each["experiment"]: each["verdict"] for each in listed["experiments"]}
    assert verdicts.pop("vanishing") == f"{own['verdict']}, 2 seeds"
    assert set(verdicts.values()) == {None}


def test_compare(corpus: Path, tmp_path: Path, tiny: tuple[str, ...], capsys: Capture) -> None:
    for name, rate in (("slow", "1.0e-5"), ("fast", "2.0e-2")):
        (tmp_path / f"{name}.yaml").write_text(f"optim: {{lr: {rate}, warmup: 0.0}}\n")
    sides = [str(tmp_path / "slow.yaml"), str(tmp_path / "fast.yaml")]
    own = ["--seeds", "2", "--json", "--out", str(tmp_path / "out"), "--data.paths", str(corpus)]
    found, read = answered(["compare", *sides, *own, *tiny], capsys)
    stored = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert {name: found[name] for name in stored} == stored
    assert found["says"] in read
    difference = re.search(r"Difference (-?[\d.]+)", " ".join(read.split()))
    assert difference is not None
    assert float(difference[1]) == pytest.approx(found["contrasts"][0]["mean"], rel=1e-3)


def test_what_is_not_finite_is_null(capsys: Capture) -> None:
    Answer(json=True).give({"a": float("nan"), "b": [1.5, float("inf")], "c": "\u202eé\U0001f600"})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, None], "c": "\u202eé\U0001f600"}
    Answer(json=False).give({"a": 1})
    assert capsys.readouterr().out == ""
