"""The loss of a finished run, and what it is compared with."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scores import NUMBERS

from mainstem.cli.main import main
from mainstem.errors import BadInput

Capture = pytest.CaptureFixture[str]


def test_its_own_held_out_part(finished: Path, capsys: Capture) -> None:
    facts = json.loads((finished / "facts.json").read_text())
    assert main(["evaluate", str(finished)]) == 0
    out = capsys.readouterr().out
    found = NUMBERS.search(out)
    assert found is not None
    best = facts["outcome"]["best"]
    assert (found[1], found[2]) == (f"{best['nats_per_token']:.4f}", f"{best['bits_per_byte']:.4f}")
    words = " ".join(out.split())
    for name, kind in (
        ("unigram_bpb", "unigram"),
        ("counts_tokens_bpb", "counts"),
        ("adaptive_tokens_bpb", "adaptive"),
    ):
        assert f"{kind} {facts['yardsticks'][name]:.4f}" in words
    assert facts["remarks"][0].split("(")[0] in words


def test_lines_are_as_wide_as_the_terminal(finished: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["evaluate", str(finished)]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]  # the first one has the name of the folder
    assert lines
    assert max(map(len, lines)) <= 40


def test_the_last_weights(finished: Path, capsys: Capture) -> None:
    facts = json.loads((finished / "facts.json").read_text())
    assert main(["evaluate", str(finished), "--last"]) == 0
    assert f"{facts['outcome']['last']['nats_per_token']:.4f} nats" in capsys.readouterr().out


def test_overlapping_windows_stand_beside_the_plain_number(finished: Path, capsys: Capture) -> None:
    context = json.loads((finished / "config.json").read_text())["model"]["context"]
    assert main(["evaluate", str(finished), "--stride", str(context), "--prior", "none"]) == 0
    out = capsys.readouterr().out
    plain, same = NUMBERS.findall(out)
    assert plain == same
    assert f"with --stride {context}: 1 or more tokens before each" in " ".join(out.split())
    assert main(["evaluate", str(finished), "--stride", "2", "--prior", "none"]) == 0
    out = capsys.readouterr().out
    assert NUMBERS.findall(out)[0] == plain and NUMBERS.findall(out)[1] != plain
    assert f"with --stride 2: {context - 1} or more tokens before each" in " ".join(out.split())
    assert main(["evaluate", str(finished), "--stride", str(context + 1)]) == 2
    assert f"A stride of {context + 1} is not one of 1 to {context}" in capsys.readouterr().err


def test_each_look_at_the_sealed_part_is_counted(
    corpus: Path, tiny: tuple[str, ...], tmp_path: Path, capsys: Capture
) -> None:
    out = str(tmp_path / "run")
    assert main(["train", str(corpus), "--out", out, *tiny, "--data.sealed", "0.1", "--data.held-out", "0.1"]) == 0
    assert not (tmp_path / "run" / "sealed.json").exists()  # a run itself never looks
    facts = json.loads((tmp_path / "run" / "facts.json").read_text())["corpus"]
    capsys.readouterr()
    assert main(["evaluate", out, "--sealed"]) == 0
    first = " ".join(capsys.readouterr().out.split())
    assert f"on its sealed part: {facts['sealed_tokens']:,} tokens" in first
    assert "the first look at the sealed part: nothing was chosen by it" in first
    assert main(["evaluate", out, "--sealed", "--last"]) == 0
    second = " ".join(capsys.readouterr().out.split())
    assert "look 2 at the sealed part: what was chosen by an earlier one" in second
    assert len(json.loads((tmp_path / "run" / "sealed.json").read_text())["looks"]) == 2
    assert main(["evaluate", out]) == 0
    assert "its held-out part" in " ".join(capsys.readouterr().out.split())
    assert len(json.loads((tmp_path / "run" / "sealed.json").read_text())["looks"]) == 2
    (tmp_path / "run" / "sealed.json").write_text("[]")
    assert main(["evaluate", out, "--sealed"]) == 2
    assert "sealed.json" in capsys.readouterr().err


def test_without_a_sealed_part_there_is_none_to_look_at(finished: Path, corpus: Path, capsys: Capture) -> None:
    assert main(["evaluate", str(finished), "--sealed"]) == 2
    assert "has no sealed part: leave --sealed out, or train with --data.sealed" in capsys.readouterr().err
    assert main(["evaluate", str(finished), str(corpus), "--sealed"]) == 2
    assert "are both given: leave one of them out" in capsys.readouterr().err


def test_a_loss_is_told_where_there_is_no_memory_to_count(
    finished: Path, corpus: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stages(*what: Any) -> Iterator[dict[str, float]]:
        yield {"unigram_bpb": 4.5}
        raise BadInput("There is not enough memory to count so many tokens: give fewer.")

    monkeypatch.setattr("mainstem.data.yardsticks.stages", stages)
    assert main(["evaluate", str(finished), str(corpus), "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["yardsticks"] == {"unigram_bpb": 4.5} and found["nats_per_token"] > 0
    lines = " ".join(said.err.split())
    assert "unigram 4.5000 bits per byte" in lines
    assert "no more yardsticks: There is not enough memory to count so many tokens" in lines


def test_a_line_break_in_a_name_breaks_no_line(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    odd = tmp_path / "a\nmainstem: b.txt"
    odd.write_text("the river carries")
    assert main(["evaluate", str(finished), str(odd)]) == 0
    assert r"a\nmainstem: b.txt: 17 tokens, 17 bytes" in " ".join(capsys.readouterr().out.split())
