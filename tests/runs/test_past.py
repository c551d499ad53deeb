"""What a run that goes on is held to: its configuration, its length, its text, and what ended it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny_run

from mainstem import config, data, train
from mainstem.errors import BadInput
from mainstem.train import length, loop
from mainstem.train.console import Plain


class Heard(Plain):
    """A console that remembers."""

    def __init__(self) -> None:
        super().__init__(None)
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of eight steps; a test that changes it copies it first."""
    root = tmp_path_factory.mktemp("past")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        run = tiny_run.run(tiny_run.text(root), root / "run", optim={"average": 0.9})
        train.run(run, console=Heard())
    return root / "run"


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def _edited(out: Path, **flags: Any) -> config.Run:
    """Change the run's config.yaml as an editor would, and return what it says then."""
    path = out / "config.yaml"
    run = config.override(config.parse(path.read_bytes()), {**flags, "out": str(out)})
    path.write_text(config.dump(run))
    return run


def _everything(out: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name not in ("lock", "config.yaml")
    }


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("seed", 7, "seed is 7 and was 0"), ("optim.lr", 0.5, r"optim\.lr is 0\.5 and was 0\.002"),
        ("train.batch", 5, r"train\.batch is 5 and was 4"),
        ("noise.hidden", 0.2, r"noise\.hidden is 0\.2 and was 0\.1"),
        ("penalty", [{"name": "l1", "coef": 1e-5}], r"penalty is \[\{'name': 'l1'.* and was \[\]"),
        ("data.documents", "mask", r"data\.documents is 'mask' and was 'join'"),
        ("model.width", 32, r"model\.hidden is 128 and was 64"),
    ],
)  # fmt: skip
def test_a_configuration_edited_by_hand_is_refused_by_name_before_data_is_read(
    copy: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object, said: str
) -> None:
    run, before = _edited(copy, **{name: value}), _everything(copy)
    monkeypatch.setattr(data, "prepare", lambda *_: pytest.fail("data was read"))
    with pytest.raises(BadInput, match=rf"config\.yaml of .*{said}.* Put it back, or begin another run"):
        train.run(run, resume=True, console=Heard())
    assert _everything(copy) == before
    monkeypatch.undo()
    plan = train.plan(run)
    assert "none: config.yaml of" in " ".join(plan.whole.split())
    assert "but config.yaml of" in " ".join(plan.screen.split())


def test_what_may_change_may_be_edited(copy: Path) -> None:
    run = _edited(copy, **{"train.steps": 9, "train.patience": 0, "save.every": 2, "log.every": 1})
    assert train.run(run, resume=True, console=Heard()).reason == "steps"
    assert json.loads((copy / "metrics.jsonl").read_text().splitlines()[-1])["step"] == 9


def test_before_the_first_checkpoint_the_configuration_is_what_the_file_says(copy: Path) -> None:
    shutil.rmtree(copy / "checkpoints")
    console = Heard()
    train.run(_edited(copy, seed=7), resume=True, console=console)
    assert not any("going on" in line for line in console.said)


@pytest.mark.parametrize("damage", [None, b"{", b'{"length": 3}', b"[]"])
def test_a_budget_is_not_measured_again_where_the_facts_are_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes | None
) -> None:
    resolve = length.resolve
    monkeypatch.setattr(length, "resolve", lambda *given: resolve(*given[:-1], lambda _: 5))
    run = tiny_run.run(tiny_run.text(tmp_path), tmp_path / "run", train={"steps": None, "budget": "1s"})
    train.run(run, console=Heard())
    steps = json.loads((tmp_path / "run" / "facts.json").read_text())["length"]["steps"]
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    path = tmp_path / "run" / "facts.json"
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    again = [lambda _: pytest.fail("the budget was measured")]
    monkeypatch.setattr(length, "resolve", lambda *given: resolve(*given[:-1], *again))
    console = Heard()
    assert train.run(run, resume=True, console=console).reason == "steps"
    assert json.loads(path.read_text())["length"]["steps"] == steps
    assert f"going on at step {steps} of {steps}" in console.said
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before


def test_other_text_is_refused_where_the_facts_are_lost(copy: Path, tmp_path: Path) -> None:
    (copy / "facts.json").unlink()
    run = config.override(config.parse((copy / "config.yaml").read_bytes()), {"out": str(copy)})
    other = config.override(run, {"data.paths": [str(tiny_run.text(tmp_path, "other.txt", 400))]})
    with pytest.raises(BadInput, match="has changed since the run began"):
        train.run(other, resume=True, console=Heard())
    assert train.run(run, resume=True, console=Heard()).reason == "steps"


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> config.Run:
    """Return a run that patience has ended at step 6 of 12."""
    monkeypatch.setattr(loop.Loop, "_judge", _never_better(loop.Loop._judge))
    more = {"train": {"steps": 12, "patience": 2}, "evaluate": {"every": 2}, "save": {"every": 2}}
    run = tiny_run.run(tiny_run.text(tmp_path), tmp_path / "run", **more)
    console = Heard()
    assert train.run(run, console=console).reason == "patience"
    assert any("--train.patience 0" in line for line in console.said)  # how to train longer
    return run


def _never_better(judge: Any) -> Any:
    """Return `judge` after a first pass whose loss no later one reaches."""

    def judged(self: loop.Loop, now: Any) -> None:
        if self.state.best is None:
            now.values["nats_per_token"] = 0.0
        judge(self, now)

    return judged


@pytest.mark.parametrize("flags", [{"train.steps": 24}, {"train.patience": 1}, {"train.epochs": 3.0}])
def test_a_run_that_patience_has_ended_says_so_and_how_it_goes_on(
    impatient: config.Run, monkeypatch: pytest.MonkeyPatch, flags: dict[str, Any]
) -> None:
    assert impatient.out is not None
    before = _everything(Path(impatient.out))
    monkeypatch.setattr(data, "prepare", lambda *_: pytest.fail("data was read"))
    with pytest.raises(
        BadInput, match=r"ended at step 6 by 2 evaluations without gain.* --train\.patience 0, or more than 2"
    ):
        train.run(config.override(impatient, flags), resume=True, console=Heard())
    assert _everything(Path(impatient.out)) == before


@pytest.mark.parametrize(
    "flags", [{"train.patience": 0}, {"train.patience": 9}, {"train.patience": 0, "train.steps": 16}]
)
def test_with_more_patience_it_goes_on(impatient: config.Run, flags: dict[str, Any]) -> None:
    assert impatient.out is not None
    run = config.override(impatient, flags)
    assert train.run(run, resume=True, console=Heard()).reason == "steps"
    lines = Path(impatient.out, "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, flags.get("train.steps", 12) + 1))


def test_without_a_wish_it_ends_as_before(impatient: config.Run) -> None:
    assert train.run(impatient, resume=True, console=Heard()).reason == "patience"


def test_a_rate_that_rises_again_is_said_from_what_to_what(copy: Path) -> None:
    run = _edited(copy, **{"train.steps": 16})
    console = Heard()
    train.run(run, resume=True, console=console)
    rates = [json.loads(line)["lr"] for line in (copy / "metrics.jsonl").read_text().splitlines()]
    assert rates[8] > rates[7]
    said = [line for line in console.said if "learning rate" in line]
    assert said == [
        f"the learning rate rises from {rates[7]:.3g} to {rates[8]:.3g}, as its schedule ends at step 16 now"
    ]


def test_a_rate_that_does_not_rise_is_not_mentioned(tmp_path: Path) -> None:
    for steps in (8, 8, 16):
        run = tiny_run.run(
            tiny_run.text(tmp_path), tmp_path / "run", train={"steps": steps}, optim={"schedule": "constant"}
        )
        console = Heard()
        train.run(run, console=console)
        assert not any("learning rate" in line for line in console.said)
