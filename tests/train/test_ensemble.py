"""Members in training: as if each were trained by itself; and a run of several, from its first line to its card."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tiny_run
import torch

import mainstem
from mainstem import config, noise, train
from mainstem.cli import probe
from mainstem.cli.main import main
from mainstem.errors import BadInput
from mainstem.model import LanguageModel, Settings
from mainstem.train import Learner, begin, budget
from mainstem.train.console import Plain
from mainstem.train.world import ALONE


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def _run(tmp_path: Path, out: str = "several", **more: Any) -> config.Run:
    more["model"] = {"members": 2, **more.get("model", {})}
    return tiny_run.run(tiny_run.text(tmp_path), out, **more)


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "an average": {"optim": {"name": "adamw", "clip": 0.05, "average": 0.5}},
    "muon": {"optim": {"name": "muon", "clip": 0.05, "decay_on": "blocks.0.*"}},
    "parts": {"optim": {"name": "adamw", "clip": 0.05, "decay_kind": "cautious"}, "train": {"micro_batch": 2}},
    "no clipping": {"optim": {"name": "muon", "clip": 0.0}},
    "masked inputs": {"optim": {"name": "adamw", "clip": 0.0}, "loss": {"name": "masked_inputs", "z_loss": 0.1}},
    "two views": {"optim": {"name": "adamw", "clip": 0.0}, "loss": {"name": "r_drop", "confidence": 0.1}},
}


@pytest.mark.parametrize("more", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_members_are_trained_as_if_each_were_alone(tmp_path: Path, more: dict[str, Any]) -> None:
    both, _ = tiny_run.learner(_run(tmp_path, **copy.deepcopy(more)), tmp_path / "cache")
    run = _run(tmp_path, **{**copy.deepcopy(more), "model": {"members": 1}})
    apart = [_alone(both, run, number) for number in range(2)]
    losses, clipped = [], 0
    for step in range(1, 9):
        taken = both.step(step)
        each = [one.step(step) for one in apart]
        losses.append(float(taken.numbers["loss"]))
        assert losses[-1] == pytest.approx(sum(float(one.numbers["loss"]) for one in each) / 2, rel=1e-6)
        norms = torch.stack([one.numbers["grad_norm"] for one in each])
        assert float(taken.numbers["grad_norm"]) == pytest.approx(float(norms.square().mean().sqrt()), rel=1e-5)
        clipped += int((norms > more["optim"]["clip"]).sum())
    clips = bool(more["optim"]["clip"])
    assert not clips or clipped > 8  # else nothing would be seen of how it is done
    with both.averaged():
        found = {name: p.detach().clone() for name, p in both.model.named_parameters()}
    for number, one in enumerate(apart):
        with one.averaged():
            for name, p in one.model.named_parameters():
                # Clipped, a gradient is rounded once more, and Muon's products of bfloat16 make that larger.
                close = 5e-6 if clips else 0.0
                torch.testing.assert_close(found[f"members.{number}.{name}"], p.detach(), rtol=0, atol=close)
    assert not torch.allclose(found["members.0.embedding.weight"], found["members.1.embedding.weight"])


def _alone(both: Learner, run: config.Run, number: int) -> Learner:
    """Return what trains one member by itself, with the weights and the masks that belong to its names."""
    settings: Settings = both.model.get_submodule(f"members.{number}").settings  # type: ignore[assignment]
    model = LanguageModel(settings, run.seed, within=f"members.{number}.")
    for module in model.modules():
        if isinstance(module, noise.Noise):
            module.site = f"members.{number}.{module.site}"
    return Learner.of(run, both.task, both.data, ALONE, steps=both.steps, network=model)


@pytest.mark.parametrize("penalty", ["l2", "l1", "group_lasso", "orthogonality", "spectral"])
def test_penalties_do_not_join_members(tmp_path: Path, penalty: str) -> None:
    run = _run(tmp_path, optim={"name": "adamw", "clip": 0.05})
    terms = [config.PenaltyTerm(name=penalty, coef=0.01, on="blocks.0.*")]
    run = msgspec.structs.replace(run, penalty=terms)
    both, _ = tiny_run.learner(run, tmp_path / "cache")
    apart = [_alone(both, config.checked(config.put(run, "model.members", 1)), number) for number in range(2)]
    for step in range(1, 4):
        both.step(step)
        for one in apart:
            one.step(step)
    for number, one in enumerate(apart):
        for name, p in one.model.named_parameters():
            found = both.model.get_parameter(f"members.{number}.{name}")
            torch.testing.assert_close(found, p, rtol=0, atol=1e-6)


class _Fails(train.Listener):
    """Fails in the middle of a run, as a machine does."""

    def stepped(self, line: dict[str, Any]) -> None:
        if line["step"] >= 6:
            raise RuntimeError("the power is gone")


def test_a_run_that_goes_on_is_the_same_to_the_byte(tmp_path: Path) -> None:
    def go(out: str, *listeners: train.Listener) -> None:
        given = _run(tmp_path, out, optim={"average": 0.5, "name": "muon"})
        train.run(given, console=Plain(io.StringIO()), listeners=listeners)

    go("whole")
    with pytest.raises(RuntimeError, match="the power is gone"):
        go("parts", _Fails())
    go("parts")
    for name in ("model.safetensors", "last/model.safetensors", "config.json", "samples.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes(), name


def test_a_run_of_several_from_its_first_line_to_its_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    screen = io.StringIO()
    given = _run(tmp_path, "first", model={"prior": "counts"})
    train.run(given, console=Plain(screen), listeners=[mainstem.report.Page(print, lambda *_: None)])
    said = " ".join(screen.getvalue().split())
    assert "pre_norm, 2 members of 1 layer of width 16," in said
    facts = json.loads((tmp_path / "first" / "facts.json").read_text())
    loaded = mainstem.load("first", prior=False)
    assert facts["members"] == len(loaded.model.members) == 2  # type: ignore[union-attr]
    assert facts["num_parameters"] == sum(p.numel() for p in loaded.model.parameters())
    card = (tmp_path / "first" / "card.md").read_text()
    assert "in 2 members" in card
    assert "the mean of the probabilities of 2 networks" in card
    told, best = facts["outcome"]["ensemble"], facts["outcome"]["best"]["bits_per_byte"]
    loaded.model.members[1].load_state_dict(loaded.model.members[0].state_dict())  # type: ignore[union-attr, operator]
    held = mainstem.data.prepare(loaded.run.data, tmp_path / "cache").held_out
    one = mainstem.measure.evaluate(loaded.model, held).bits_per_byte
    assert told == {"members": 2, "one_bpb": pytest.approx(one, rel=1e-6)}
    assert f"one of them alone {one:.4f} bits per byte, all of them" in said
    assert f"| one member | {facts['outcome']['best_step']} | {one:.3f} |" in card
    assert f"| all 2 members | {facts['outcome']['best_step']} | {best:.3f} |" in card
    assert "| counts mixed in |" in card or "left_out" in facts["outcome"]["prior"]
    loaded = mainstem.load("first", prior=False)
    logs = loaded.predict([101, 32, 115])
    each = [torch.softmax(member(torch.tensor([[101, 32, 115]]))[0], -1) for member in loaded.model.members]
    torch.testing.assert_close(logs.exp(), sum(each) / 2, rtol=1e-4, atol=1e-6)
    capsys.readouterr()
    assert main(["evaluate", "first", "--json", "--stride", "8"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["nats_per_token"] == pytest.approx(facts["outcome"]["best"]["nats_per_token"], rel=1e-5)
    assert main(["sample", "first", "--num-tokens", "30", "--prompt", "stem"]) == 0
    assert capsys.readouterr().out.startswith("stem")
    assert main(["probe", "first", "--windows", "2"]) == 0
    assert "the first of 2 members" in capsys.readouterr().out
    one, which = probe._one(loaded, "last")
    assert one.model is loaded.model.members[0]  # type: ignore[union-attr]
    assert which == "last weights of the first of 2 members"
    again = _run(tmp_path, "second", train={"init_from": str(tmp_path / "first")})
    train.run(again, console=Plain(io.StringIO()))
    assert main(["train", "--resume", "first", "--train.steps", "10"]) == 0


def test_the_plan_has_the_members(tmp_path: Path) -> None:
    one, two = (train.plan(_run(tmp_path, "none", model={"members": members})).whole for members in (1, 2))
    parameters = [int(text.split("parameters")[1].split()[0].replace(",", "")) for text in (one, two)]
    assert parameters[1] == 2 * parameters[0]
    rows = [
        [
            line.removesuffix(" -").split()
            for line in text.partition("penalised")[2].splitlines()
            if "feedforward" in line
        ]
        for text in (one, two)
    ]
    assert rows[0]
    assert [row[:-1] for row in rows[0]] == [row[:-1] for row in rows[1]]
    assert [2 * int(row[-1]) for row in rows[0]] == [int(row[-1]) for row in rows[1]]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--model.members", "0"], "model.members"),
        (["--model.members", "257"], "model.members"),
        (["--model.members", "2", "--optim.around", "sam"], "optim.around sam goes by one norm"),
        (["--ensemble", "2"], "model.members"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_leaves_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    assert main(["train", str(tiny_run.text(tmp_path)), "--out", "none", *flags]) == 2
    told = capsys.readouterr().err
    assert said in told and "Traceback" not in told
    assert not (tmp_path / "none").exists()


def test_a_budget_keeps_time_for_the_samples_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "timed", lambda *_: budget.Costs(step=0.1, token=0.0, once=0.0))
    learner, _ = tiny_run.learner(_run(tmp_path), tmp_path / "cache")
    assert budget.steps(learner, 100.0, began=0.0, clock=lambda: 0.0) == pytest.approx(10 * (100.0 - 3.5), abs=1)
    given: list[int] = []

    def pace(*_: Any, members: int, **__: Any) -> None:
        given.append(members)
        raise KeyboardInterrupt

    monkeypatch.setattr(begin, "Pace", pace)
    with pytest.raises(KeyboardInterrupt):
        train.run(_run(tmp_path, train={"steps": None, "budget": "30s"}), console=Plain(io.StringIO()))
    assert given == [2]


def test_weights_of_one_network_do_not_begin_several(tmp_path: Path) -> None:
    train.run(_run(tmp_path, "one", model={"members": 1}, train={"steps": 2}), console=Plain(io.StringIO()))
    with pytest.raises(BadInput, match=r"init_from.*another model's weights"):
        train.run(_run(tmp_path, train={"init_from": "one"}), console=Plain(io.StringIO()))


def test_experiments_look_inside_one_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "depth", "--model.members", "2"]) == 2
    assert "model.members cannot be set for depth" in capsys.readouterr().err


@pytest.mark.slow
def test_several_are_compiled_as_one_graph(tmp_path: Path) -> None:
    found = []
    for backend in ("off", "aot_eager"):
        given = _run(tmp_path, machine={"compile": backend})
        learner, _ = tiny_run.learner(given, tmp_path / "cache")
        found.append([float(learner.step(number).numbers["loss"]) for number in (1, 2, 3)])
    assert found[0] == pytest.approx(found[1], rel=1e-5)
