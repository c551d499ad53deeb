"""What a run is like is chosen once and recorded, and a run that goes on keeps it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tiny_run

from mainstem import choice, config, train
from mainstem.choice.given import FIELDS
from mainstem.train import budget, speed
from mainstem.train.console import Plain

TINY = {
    "model.layers": 1, "model.width": 16, "model.heads": 2, "model.context": 16, "train.batch": 4,
    "machine.threads": 1, "machine.dtype": "float32", "evaluate.every": 2,
}  # fmt: skip


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return how much slower than the machine of the table this one is said to be; what is in the list counts.

    Steps of what is chosen take 20 ms of that, whatever the table says of them.
    """
    ratio = [1.0]

    def measure(run: config.Run, task: Any, data: Any, corpus: choice.Corpus, *_: Any) -> tuple[list[Any], None]:
        shapes = [choice.Shape(4, width, 128, 16, corpus.vocabulary) for width in (128, 256)]
        return [(shape, ratio[0] * choice.seconds(shape, choice.Speed())) for shape in shapes], None

    monkeypatch.setattr(speed, "measure", measure)
    monkeypatch.setattr(budget, "timed", lambda *_: budget.Costs(step=0.02 * ratio[0], token=0.0, once=0.0))
    return ratio


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return tiny_run.text(tmp_path).name


def asked(corpus: str, **more: Any) -> tuple[config.Run, frozenset[str]]:
    """Return a run of the recipe `default` on the text, in the folder `run`, and what was given for it."""
    length = {} if {"train.steps", "train.epochs"} & set(more) else {"train.budget": "600s", "train.passes": 1e6}
    flags = {"data.paths": [corpus], "out": "run", **length, **TINY, **more}
    return config.load(flags, recipe="default"), config.said(flags)


class Ends(train.Listener):
    """Ends a run with its first pass."""

    def evaluated(self, step: int, scores: Any) -> bool:
        return step > 0


def trained(run: config.Run, given: frozenset[str] | None) -> config.Run:
    """Return the configuration that the folder of a run has, which ended at its first pass."""
    train.run(run, given=given, console=Plain(None), listeners=[Ends()])
    return config.parse(Path("run/config.yaml").read_bytes())


def test_what_was_chosen_is_recorded_with_its_reasons(corpus: str, timed: list[float]) -> None:
    run, given = asked(corpus)
    stored = trained(run, given)
    found = json.loads(Path("run/facts.json").read_text())["choice"]
    values = {name: value for decision in found["decisions"] for name, value in decision["values"].items()}
    assert set(values) == set(FIELDS) - set(given)
    assert {name: config.at(stored, name) for name in values} == values
    assert found["given"] == sorted(given & set(FIELDS))
    assert (stored.evaluate.every, stored.model.width, stored.model.hidden) == (2, 16, 64)
    assert stored.save.every != run.save.every
    assert found["speed"] == pytest.approx({"passes": 1.0, "products": 1.0})
    # From what stands there the choice follows again.
    again = choice.choose(
        msgspec.convert(found["corpus"], choice.Corpus), msgspec.convert(found["speed"], choice.Speed),
        found["budget"], run, given, found["spent"], found["fit"],
    )  # fmt: skip
    assert again.values == values


def test_a_run_goes_on_as_it_was_chosen_however_fast_the_machine_is_now(corpus: str, timed: list[float]) -> None:
    run, given = asked(corpus)
    first = trained(run, given)
    before = Path("run/facts.json").read_bytes()
    timed[0] = 50.0
    assert trained(run, given) == first  # the same command again
    resumed = config.parse(Path("run/config.yaml").read_bytes())
    train.run(resumed, resume=True, console=Plain(None), listeners=[Ends()])
    assert config.parse(Path("run/config.yaml").read_bytes()) == first
    assert json.loads(Path("run/facts.json").read_bytes())["choice"] == json.loads(before)["choice"]
    other, given = asked(corpus, out="other")
    train.run(other, given=given, console=Plain(None), listeners=[Ends()])
    assert config.parse(Path("other/config.yaml").read_bytes()).save.every != first.save.every


def test_a_chosen_run_is_made_longer_in_steps(corpus: str, timed: list[float]) -> None:
    trained(*asked(corpus))
    run, given = asked(corpus, **{"train.steps": 5})
    stored = trained(run, given)
    assert (stored.train.steps, stored.train.budget, stored.train.passes) == (5, None, None)
    assert stored.save.every != run.save.every


def test_a_run_that_was_left_before_its_first_step_begins_as_it_was_chosen(corpus: str, timed: list[float]) -> None:
    run, given = asked(corpus)

    class Leaves(train.Listener):
        def began(self, start: Any) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.run(run, given=given, console=Plain(None), listeners=[Leaves()])
    left = Path("run/config.yaml").read_bytes()
    timed[0] = 50.0
    trained(run, given)
    assert Path("run/config.yaml").read_bytes() == left


@pytest.mark.parametrize("more", [{"train.steps": 5}, {"train.epochs": 1.0}, {"recipe": None}])
def test_nothing_is_chosen_where_steps_are_given_or_the_recipe_chooses_nothing(
    corpus: str, timed: list[float], more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "measure", lambda *_: pytest.fail("timed"))
    run, given = asked(corpus, **{name: value for name, value in more.items() if value})
    if "recipe" in more:
        run = msgspec.structs.replace(run, recipe=None)
    stored = trained(run, given)
    assert (stored.save.every, stored.train.patience) == (run.save.every, run.train.patience)
    assert "choice" not in json.loads(Path("run/facts.json").read_text())


def test_without_what_is_given_all_is(corpus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "measure", lambda *_: pytest.fail("timed"))
    run, _ = asked(corpus)
    assert trained(run, None).save.every == 200


def test_another_configuration_is_refused_as_ever(corpus: str, timed: list[float]) -> None:
    trained(*asked(corpus))
    run, given = asked(corpus, seed=5)
    with pytest.raises(Exception, match=r"another configuration \(seed differs\)"):
        trained(run, given)
    Path("run/config.yaml").write_text("version: 2\nmodel: 5\n")
    with pytest.raises(Exception, match="another configuration"):
        trained(*asked(corpus))


def test_a_plan_chooses_what_the_run_would(corpus: str, timed: list[float]) -> None:
    run, given = asked(corpus)
    text = train.plan(run, given=given).whole
    assert "what was chosen\n---------------\nchosen    10:00       5:00        20:00       because" in text
    stored = trained(run, given)
    assert f"save:\n  every: {stored.save.every}\n" in text
    timed[0] = 50.0
    assert f"save:\n  every: {stored.save.every}\n" in train.plan(run, given=given).whole


def test_a_plan_and_its_run_have_one_number_of_steps(corpus: str, timed: list[float]) -> None:
    """The table and the run timed steps of their own: beside other programs one screen had 464 steps and 254."""
    run, given = asked(corpus)
    screen = " ".join(train.plan(run, given=given).screen.split())
    (said,) = re.findall(r"about ([\d,]+) steps of", screen)
    assert 25_000 < int(said.replace(",", "")) < 30_000
    fits = re.findall(r"([\d,]+) steps (?:that |of one network )?fit", screen)
    assert fits and set(fits) == {said}
    trained(run, given)
    facts = json.loads(Path("run/facts.json").read_text())
    assert facts["length"]["steps"] == facts["choice"]["count"] == facts["choice"]["steps"]


@pytest.mark.parametrize("budget", ["10m", "1s"])
def test_what_matters_of_a_plan_fits_a_terminal(corpus: str, timed: list[float], budget: str) -> None:
    run, given = asked(corpus, **{"train.budget": budget})
    screen = train.plan(run, given=given).screen.splitlines()
    assert len(screen) <= 24 and max(map(len, screen)) <= 80
    assert [line.split()[0] for line in screen if line[:1].strip()][:5] == ["text", "model", "run", "needs", "chosen"]
    assert screen[-1].endswith("half and twice the time: `--plan all`")


def test_a_plan_says_that_nothing_is_chosen_where_steps_are_given(corpus: str) -> None:
    run, given = asked(corpus, **{"train.steps": 4})
    screen = train.plan(run, given=given).screen
    assert "rest   as the recipe default has it: nothing is chosen" in screen
    assert screen.endswith("more   every field and each tensor: `--plan all`")


def test_the_speed_is_that_of_two_shapes(tmp_path: Path) -> None:
    run = config.resolve(config.load({"data.paths": [str(tiny_run.text(tmp_path))], **TINY}, recipe="default"))
    task = train.language.Language()
    data = task.prepare(run, tmp_path / "cache")
    corpus = task.corpus(data)
    looks = iter(range(10**6))
    found, _ = speed.measure(run, task, data, corpus, 1.0, lambda: float(next(looks)), None)
    assert [shape[:4] for shape, _ in found] == [(4, 128, 16, 4), (4, 256, 16, 4)]
    assert all(took > 0 for _, took in found)
    assert next(looks) < 60  # two steps of each, and nothing else


def test_a_budget_for_nothing_is_a_warning_and_a_run(
    corpus: str, timed: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    run, given = asked(corpus, **{"train.budget": "1s"})
    trained(run, given)
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(r"warning: A budget of 1 s leaves time for (no step|about \d+ steps?), ", said)
    plan = train.plan(asked(corpus, out="b", **{"train.budget": "1s"})[0], given=given)
    assert "but       A budget of 1 s leaves" in plan.whole
    assert "but       A budget of 1 s leaves" in plan.screen
    trained(*asked(corpus, out="other", **{"train.budget": "600s"}))
    assert "warning" not in capsys.readouterr().err
