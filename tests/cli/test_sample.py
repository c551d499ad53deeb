"""Text from a finished run, on the terminal."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import safetensors.torch

from mainstem.cli import terminal
from mainstem.cli.main import main
from mainstem.cli.sample import beginning
from mainstem.data.tokenizer import Byte, Char
from mainstem.errors import BadInput

Capture = pytest.CaptureFixture[str]


def test_the_same_seed_gives_the_same_text(finished: Path, capsys: Capture) -> None:
    words = ["sample", str(finished), "--prompt", "the ", "--num-tokens", "30"]
    found = []
    for seed in ("1", "1", "2"):
        assert main([*words, "--seed", seed]) == 0
        found.append(capsys.readouterr().out)
    assert found[0] == found[1] != found[2]
    assert found[0].startswith("the ")
    assert found[0].endswith("\n")


def test_the_likeliest_is_the_likeliest_of_one(finished: Path, capsys: Capture) -> None:
    found = set()
    for extra in (["--temperature", "0"], ["--top-k", "1"]):
        assert main(["sample", str(finished), "--prompt", "river", "--num-tokens", "9", *extra]) == 0
        found.add(capsys.readouterr().out)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [("--temperature 0 --top-k 5", "--top-k 5 means nothing beside --temperature 0, which takes the likeliest token"),
     ("--seed 0 --temperature 0", "--seed 0 means nothing beside --temperature 0"),
     ("--temperature 0 --num-samples 2", "--num-samples 2 means nothing beside --temperature 0"),
     ("--top-k 1 --temperature 0.5", "--temperature 0.5 means nothing beside --top-k 1"),
     ("--prior counts --last", "--prior counts asks for counts, and --last has weights that no counts belong to")],
)  # fmt: skip
def test_what_could_make_no_difference_is_refused(words: str, said: str, finished: Path, capsys: Capture) -> None:
    assert main(["sample", str(finished), *words.split()]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_counts_that_are_asked_for_have_to_be_there(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    (run / "counts.safetensors").unlink()
    for command in ("sample", "evaluate"):
        assert main([command, str(run), "--prior", "counts"]) == 2
        assert "run' has none that are used: leave it out" in capsys.readouterr().err
        assert main([command, str(run), "--prior", "none"]) == 0
        capsys.readouterr()


def test_a_prompt_is_text_whatever_it_reads_like(finished: Path, capsys: Capture) -> None:
    for prompt in ("null", "none", "5"):
        assert main(["sample", str(finished), "--prompt", prompt, "--num-tokens", "1"]) == 0
        assert capsys.readouterr().out.startswith(prompt)


def test_control_characters_are_written_out(finished: Path, capsys: Capture) -> None:
    assert main(["sample", str(finished), "--prompt", "\x1b[2J", "--num-tokens", "1"]) == 0
    assert capsys.readouterr().out.startswith("\\x1b[2J")


def test_a_prompt_longer_than_the_context_is_said_to_be_cut_once(finished: Path, capsys: Capture) -> None:
    words = ["sample", str(finished), "--num-tokens", "1"]
    assert main([*words, "--prompt", "the river carries", "--num-samples", "2"]) == 0
    said = capsys.readouterr()
    assert said.out.count("the river carries") == 2
    assert " ".join(said.err.split()) == (
        "the prompt has 17 tokens, more than the context of 16: the network sees the last 16 of them alone"
    )
    assert main([*words, "--prompt", "the river carrie"]) == 0
    assert capsys.readouterr().err == ""


def test_the_last_weights(finished: Path, capsys: Capture) -> None:
    assert main(["sample", str(finished), "--last", "--num-tokens", "3"]) == 0
    assert capsys.readouterr().out


def test_several_texts_have_the_next_seeds(finished: Path, capsys: Capture) -> None:
    words = ["sample", str(finished), "--prompt", "the ", "--num-tokens", "12"]
    assert main([*words, "--seed", "7", "--num-samples", "2"]) == 0
    both = capsys.readouterr().out
    each = []
    for seed in ("7", "8"):
        assert main([*words, "--seed", seed]) == 0
        each.append(capsys.readouterr().out)
    assert both == f"--- sample 1 of 2, seed 7 ---\n{each[0]}\n--- sample 2 of 2, seed 8 ---\n{each[1]}"
    assert each[0] != each[1]


def test_the_largest_seed_has_a_next_one(finished: Path, capsys: Capture) -> None:
    words = ["sample", str(finished), "--num-tokens", "1", "--num-samples", "2", "--seed", str(2**63 - 1)]
    assert main(words) == 0
    assert "seed 0 ---" in capsys.readouterr().out


def test_it_draws_as_the_report_does(finished: Path, capsys: Capture) -> None:
    made = json.loads((finished / "samples.json").read_text())[0]
    assert (made["temperature"], made["top_k"]) == (0.8, 40)
    words = ["sample", str(finished), "--prompt", made["prompt"], "--seed", str(made["seed"]), "--num-tokens", "120"]
    assert main(words) == 0
    assert capsys.readouterr().out.rstrip("\n") == terminal.clean(made["prompt"] + made["text"]).rstrip("\n")


def test_half_a_character_is_not_printed(finished: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [[byte] for byte in "né".encode() + "é".encode()[:1]]
    monkeypatch.setattr(sys.modules["mainstem.model.generate"], "generate_rows", lambda *_: iter(made))
    assert main(["sample", str(finished), "--prompt", "the "]) == 0
    assert capsys.readouterr().out == "the né\n"


def test_weights_that_are_no_numbers_are_named(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    run = tmp_path / "nan"
    shutil.copytree(finished, run)
    tensors = safetensors.torch.load_file(run / "model.safetensors")
    tensors["stream.norm.gain"][3] = float("nan")
    with safetensors.safe_open(run / "model.safetensors", "pt") as opened:
        metadata = opened.metadata()
    safetensors.torch.save_file(tensors, run / "model.safetensors", metadata)
    for words in (["sample", str(run)], ["evaluate", str(run)], ["probe", str(run)]):
        assert main(words) == 2
        said = capsys.readouterr()
        assert "holds weights that are not finite numbers, in 'stream.norm.gain'" in said.err
        assert said.out == ""


def test_where_a_text_begins() -> None:
    assert beginning("ab", Char("abc")) == [0, 1]
    assert beginning(None, Byte(end=True)) == [256]
    assert beginning(None, Char("\nab")) == [0]
    with pytest.raises(BadInput, match="no new line to begin from: give --prompt"):
        beginning(None, Char("ab"))
