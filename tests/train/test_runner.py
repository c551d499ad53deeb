import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from shown import joined
from small_runs import Heard, lines_of, small_run

from mainstem import config, report, train
from mainstem.errors import BadInput
from mainstem.runs import weights
from mainstem.train import begin, samples


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def test_a_run_leaves_what_was_promised(tmp_path: Path) -> None:
    console = Heard()
    outcome = train.run(small_run(tmp_path), resume=False, console=console, listeners=[report.Page()])
    out = tmp_path / "run"
    assert outcome.reason == "steps"
    assert outcome.path == out
    for name in ("config.yaml", "config.json", "model.safetensors", "last/config.json", "last/model.safetensors",
                 "vocabulary.json", "facts.json", "samples.json", "report.html"):  # fmt: skip
        assert (out / name).stat().st_size > 0, name
    lines = lines_of(out)
    assert [line["step"] for line in lines] == list(range(1, 9))
    assert [line["step"] for line in lines if "held_out" in line] == [3, 6, 8]
    assert [line["tokens"] for line in lines] == [64 * step for step in range(1, 9)]
    best = min((line for line in lines if "held_out" in line), key=lambda line: line["held_out"]["nats_per_token"])
    assert outcome.best.step == best["step"]
    assert outcome.best.values["nats_per_token"] == best["held_out"]["nats_per_token"]
    found = msgspec.json.decode((out / "facts.json").read_bytes())
    assert {"command", "versions", "machine", "corpus", "parameters", "num_parameters", "bytes_per_token"} < set(found)
    assert found["outcome"]["best"]["nats_per_token"] == outcome.best.values["nats_per_token"]
    assert (found["outcome"]["steps"], found["task"]) == (8, "language")
    held = {name: found["machine"][name] for name in ("threads", "dtype", "compile", "processes")}
    assert held == {"threads": 1, "dtype": "float32", "compile": "off", "processes": 1}
    assert found["yardsticks"].keys() >= {"unigram_bpb", "counts_tokens_bpb", "adaptive_tokens_bpb", "repeated_share"}
    assert any(remark in line for line in console.said for remark in found["remarks"])
    assert sum(math.prod(row["shape"]) for row in found["parameters"]) == found["num_parameters"]
    assert any("adaptive" in line for line in console.said)
    assert any("report.html" in line for line in console.said)
    assert [numbers["step"] for numbers in console.shown] == [3, 4, 6, 8]


def test_passes_in_between_are_samples_and_the_last_one_takes_all(tmp_path: Path) -> None:
    train.run(small_run(tmp_path, train={"steps": 40}, evaluate={"every": 15, "tokens": 64}), console=Heard())
    report.write(tmp_path / "run")
    out, lines = tmp_path / "run", lines_of(tmp_path / "run")
    held = [line for line in lines if "held_out" in line]
    assert [line["step"] for line in held] == [15, 30, 40]
    assert {line["held_out"]["tokens"] for line in held} == {64}
    assert all(line["held_out"]["error"] > 0 for line in held)
    assert all(line["gap"]["low"] < line["gap"]["value"] < line["gap"]["high"] for line in held)
    found = msgspec.json.decode((out / "facts.json").read_bytes())
    best = found["outcome"]["best"]
    assert (best["tokens"], best["error"]) == (found["corpus"]["held_out_tokens"] - 1, None)
    said = msgspec.json.decode(weights.metadata(out / "model.safetensors"))
    assert (said["step"], said["held_out"]) == (best["step"], best)
    assert found["outcome"]["last"]["tokens"] == 64
    assert (found["start"]["step"], found["start"]["tokens"]) == (0, 64)
    assert found["start"]["nats_per_token"] > held[-1]["held_out"]["nats_per_token"]
    assert "Before the first step held-out loss was" in joined((out / "report.html").read_text())


def test_a_short_training_has_no_time_to_measure_everything(tmp_path: Path) -> None:
    console = Heard()
    outcome = train.run(small_run(tmp_path, train={"steps": 8}, evaluate={"tokens": 64}), console=console)
    assert (outcome.best.tokens, outcome.best.error is None) == (64, False)
    measured = [numbers for numbers in console.shown if "held_out" in numbers]
    assert [numbers["step"] for numbers in measured] == [3, 6, 8]
    assert all(numbers["held_out_error"] > 0 for numbers in measured)


def test_norms_by_depth_are_taken_as_often_as_said(tmp_path: Path) -> None:
    train.run(small_run(tmp_path, log={"quantities": 4}), resume=False, console=Heard())
    lines = lines_of(tmp_path / "run")
    assert [line["step"] for line in lines if "stream" in line] == [4, 8]
    assert all(len(line["stream"]) and len(line["gradient"]) for line in lines if "stream" in line)


def test_going_on_at_the_end_changes_no_model(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    first = train.run(run, resume=False, console=Heard())
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    again = train.run(run, resume=True, console=Heard())
    assert again.best == first.best
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before
    assert [line["step"] for line in lines_of(tmp_path / "run")] == list(range(1, 9))


def test_a_run_that_is_gone_on_with_keeps_the_command_that_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["mainstem", "train", "corpus.txt"])
    train.run(small_run(tmp_path))
    monkeypatch.setattr("sys.argv", ["mainstem", "train", "--resume", "run"])
    train.run(small_run(tmp_path), resume=True)
    said = json.loads((tmp_path / "run" / "facts.json").read_text())
    assert said["command"] == ["mainstem", "train", "corpus.txt"]
    assert said["resumed_by"] == ["mainstem", "train", "--resume", "run"]


def test_a_finished_run_can_be_extended(tmp_path: Path) -> None:
    train.run(small_run(tmp_path), resume=False, console=Heard())
    console = Heard()
    train.run(small_run(tmp_path, train={"steps": 11}), resume=True, console=console)
    assert "going on at step 8 of 11" in console.said
    assert [line["step"] for line in lines_of(tmp_path / "run")] == list(range(1, 12))
    assert config.read((tmp_path / "run" / "config.yaml").read_text())["train"]["steps"] == 11


def test_data_that_changed_is_refused_and_the_run_stays(tmp_path: Path) -> None:
    train.run(small_run(tmp_path), resume=False, console=Heard())
    with (tmp_path / "corpus.txt").open("a") as stream:
        stream.write("one word more, and then another one, and so on " * 20)
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file() and p.name != "lock"}
    with pytest.raises(BadInput, match="has changed since the run began"):
        train.run(small_run(tmp_path), resume=True, console=Heard())
    assert {p: p.read_bytes() for p in before} == before


def test_a_held_out_part_that_would_be_another_one_is_refused_and_the_run_stays(tmp_path: Path) -> None:
    """As by another version, which cuts the same text elsewhere."""
    train.run(small_run(tmp_path), resume=False, console=Heard())
    path = tmp_path / "run" / "facts.json"
    known = json.loads(path.read_text())
    known["corpus"]["held_out_hash"] = "0" * 64
    path.write_text(json.dumps(known))
    with pytest.raises(BadInput, match=r"^The held-out part of .* has changed since the run began .* was 000000000000"):
        train.run(small_run(tmp_path), resume=True, console=Heard())
    assert json.loads(path.read_text()) == known


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [("model", {"context": 5000}, "fewer than one window"), ("train", {"epochs": 1.0}, "give one of them"),
     ("train", {"steps": None, "budget": "soon"}, "train.budget"), ("data", {"paths": ["/none"]}, "/none"),
     ("train", {"init_from": "/none"}, "/none")],
)  # fmt: skip
def test_a_refusal_leaves_no_folder(tmp_path: Path, section: str, values: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        train.run(small_run(tmp_path, **{section: values}), resume=False, console=Heard())
    assert not (tmp_path / "run").exists()


def test_a_device_that_is_absent_is_named(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has it")
    with pytest.raises(BadInput, match="'cuda' is not on this machine: give one of cpu"):
        train.run(small_run(tmp_path, machine={"device": "cuda"}), resume=False, console=Heard())


def test_weights_of_another_run_as_a_start(tmp_path: Path) -> None:
    train.run(small_run(tmp_path, "first"), resume=False, console=Heard())
    given = {"init_from": str(tmp_path / "first"), "steps": 1}
    weak = {"lr": 1e-12, "decay": 0.0}
    train.run(small_run(tmp_path, train=given, evaluate={"every": 1}, optim=weak), resume=False, console=Heard())
    first = weights.read(tmp_path / "first" / "model.safetensors")
    for name, tensor in weights.read(tmp_path / "run" / "model.safetensors").items():
        torch.testing.assert_close(tensor, first[name], rtol=0, atol=1e-9)


def test_a_report_that_fails_leaves_a_good_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "drawn", lambda *_: (_ for _ in ()).throw(RuntimeError("no ink")))
    console = Heard()
    assert train.run(small_run(tmp_path), console=console, listeners=[report.Page()]).reason == "steps"
    assert any("samples.json is missing" in line and "no ink" in line for line in console.warned)
    assert (tmp_path / "run" / "report.html").exists()


def test_another_number_of_threads_is_said_aloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train.run(small_run(tmp_path), resume=False, console=Heard())
    console = Heard()
    real = begin.environment_of
    monkeypatch.setattr(begin, "environment_of", lambda own: {**real(own), "threads": 2})
    train.run(small_run(tmp_path), resume=True, console=console)
    assert any("threads 1, now 2" in line for line in console.warned)


def test_the_plan_fits_eighty_columns_and_makes_no_folder(tmp_path: Path) -> None:
    text = train.plan(small_run(tmp_path)).whole
    assert not (tmp_path / "run").exists()
    table = text[text.index("which tensors") :]
    assert "embedding.weight" in table
    assert "feedforward.in" in table
    assert max(len(line) for line in table.splitlines()) <= 80


def test_the_plan_of_a_run_that_was_killed_says_where_it_goes_on(tmp_path: Path) -> None:
    """Where a file system cannot exchange names, a kill may leave the newest checkpoint set aside; a start puts it
    back, and a plan changes nothing."""
    run = small_run(tmp_path)
    train.run(run, console=Heard())
    checkpoints = tmp_path / "run" / "checkpoints"
    steps = sorted(int(path.name.removeprefix("step-")) for path in checkpoints.iterdir())
    newest = checkpoints / f"step-{steps[-1]}"
    newest.rename(checkpoints / f".aside-{newest.name}")
    assert f"it goes on at step {steps[-1]})" in joined(train.plan(run).screen)
    (checkpoints / f".aside-{newest.name}" / "model.safetensors").write_bytes(b"")
    screen = joined(train.plan(run).screen)
    assert f"it goes on at step {steps[-2]})" in screen
    assert f"checkpoint {steps[-1]} cannot be used: model.safetensors has 0 bytes" in screen
    assert not newest.exists()


def test_a_folder_that_holds_its_own_runs_is_trained_on_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    (project / "logo.png").write_bytes(b"\x89PNG\0")
    (project / "notes.txt").write_text("the river carries what every tributary adds\n" * 40)
    monkeypatch.chdir(project)
    hashes = []
    for out in ("runs/first", "runs/second", "here", "there", "there"):
        console = Heard()
        train.run(small_run(tmp_path, f"project/{out}", data={"paths": ["."]}), console=console)
        hashes.append(json.loads((project / out / "facts.json").read_text())["corpus"]["hash"])
    assert len(set(hashes)) == 1
    counts = json.loads((project / "there" / "facts.json").read_text())["corpus"]["left_out"]
    assert counts == {"hidden": 1, "runs": 3, "not_text": 1}
    assert " ".join(console.said).startswith(
        "left out: 1 hidden ('.git'), 3 of runs ('here', ...), 1 not text ('logo.png')"
    )
    assert max(map(len, console.said[:2])) <= 80
