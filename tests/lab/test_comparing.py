"""Two configurations of one's own, as real runs that a stop cannot lose."""

import pytest
from lab import Heard

from mainstem import config
from mainstem.errors import BadInput
from mainstem.lab import comparing, text
from mainstem.lab.comparing import Side, experiment
from mainstem.lab.result import Results

SIZES = {
    "model.layers": 1, "model.width": 16, "model.heads": 2, "model.context": 16, "train.steps": 4, "train.batch": 4,
    "evaluate.every": 2, "data.tokenizer": "byte",
}  # fmt: skip


@pytest.fixture
def sizes(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{i * i % 89} words and {i * 7 % 31} numbers\n" for i in range(300)))
    return {**SIZES, "data.paths": [str(path)]}


def side(sizes, name, **changes):
    return Side(name, config.load({**sizes, **changes}))


def test_sides_must_differ_and_be_as_long_as_each_other(sizes, tmp_path):
    a = side(sizes, "a")
    with pytest.raises(BadInput, match="same configuration"):
        experiment([a, side(sizes, "b", out="elsewhere")], tmp_path)
    with pytest.raises(BadInput, match=r"'a' trains for train.steps 4 and 'b' for train.steps 5.*--train.steps N"):
        experiment([a, side(sizes, "b", **{"train.steps": 5})], tmp_path)
    with pytest.raises(BadInput, match=r"train.budget 9s"):
        experiment([a, side(sizes, "b", **{"train.steps": None, "train.budget": "9s"})], tmp_path)
    experiment([a, side(sizes, "b", **{"train.steps": 2, "train.batch": 8})], tmp_path)  # as many tokens
    timed = {"train.steps": None, "train.budget": "9s"}
    found = experiment([side(sizes, "a", **timed), side(sizes, "b", **timed, **{"optim.lr": 0.1})], tmp_path)
    assert "train.budget 9s each" in found.conditions
    assert "epochs" not in found.conditions
    read = {"train.steps": None, "train.epochs": 2.0}
    found = experiment([side(sizes, "a", **read), side(sizes, "b", **read, **{"optim.lr": 0.1})], tmp_path)
    assert "Trained for train.epochs 2.0 each" in found.conditions  # which are not as many tokens by another tokenizer


def test_sides_are_judged_on_one_text(sizes, tmp_path):
    read = text.reader(tmp_path / "tokens")
    a = side(sizes, "a")
    comparing.check([a, side(sizes, "b", **{"data.tokenizer": "char"})], read)
    with pytest.raises(BadInput, match="'a' and 'b' hold out different texts"):
        comparing.check([a, side(sizes, "c", **{"optim.lr": 0.1}), side(sizes, "b", **{"data.held_out": 0.3})], read)


def test_a_doubt_about_the_text_is_said_once_for_all_runs(sizes, tmp_path, monkeypatch, capsys):
    from mainstem.lab import suite

    monkeypatch.setattr("mainstem.data.corpus._doubts", lambda *what: iter(["This text says little."]))
    found = experiment([side(sizes, "old"), side(sizes, "new", **{"optim.lr": 0.03})], tmp_path / "runs")
    heard = Heard()
    list(suite.run([found], suite.Plan(tmp_path, {}, None, 2, "compare"), 0.0, heard))
    assert heard.lines.count("warning: This text says little.") == 1
    seeds = [done / total for what, done, total in heard.passes if what == "compare, seed 1"]
    assert seeds == sorted(seeds) and {0.0, 0.25, 0.5, 0.75, 1.0} <= set(seeds)  # two runs of four steps, two shown
    assert capsys.readouterr().err == ""


def test_the_conditions_say_what_differs(sizes, tmp_path):
    found = experiment([side(sizes, "old"), side(sizes, "new", **{"noise.rate": 0.25, "optim.lr": 0.003})], tmp_path)
    assert "optim.lr 0.002 and 0.003" in found.conditions
    assert "noise.hidden 0.0 and 0.25" in found.conditions
    assert found.contrasts[0].weights == {"new": 1.0, "old": -1.0}


def test_a_run_a_side_and_seed_is_kept_and_read(sizes, tmp_path):
    from mainstem.lab.cache import Cache
    from mainstem.lab.engine import Engine

    sides = side(sizes, "old"), side(sizes, "a/b c", **{"optim.lr": 0.03})
    found = experiment(sides, tmp_path / "runs")
    lines = []
    engine = Engine(text.reader(tmp_path / "tokens"), Cache(tmp_path / "trials"), {}, lines.append)
    results = engine.run(found, None, 2)
    names = sorted(path.name.rsplit("-", 1)[0] for path in (tmp_path / "runs").iterdir())
    assert names == ["a-b-c-seed0", "a-b-c-seed1", "old-seed0", "old-seed1"]
    assert all((path / "report.html").is_file() for path in (tmp_path / "runs").iterdir())
    numbers = results.trials["old"][1]
    assert numbers["steps"] == 4
    assert numbers["curve_steps"] == [2.0, 4.0]
    assert numbers["best"] == pytest.approx(min(numbers["curve"]))
    assert numbers["last"] == pytest.approx(numbers["curve"][-1])
    again = Engine(text.reader(tmp_path / "tokens"), Cache(tmp_path / "none"), {}, lines.append).run(found, None, 2)
    assert again.trials["old"][1]["best"] == numbers["best"]  # the finished run itself is used


def test_each_other_side_is_held_against_the_first(sizes, tmp_path):
    sides = [side(sizes, name, **{"optim.lr": lr}) for name, lr in (("a", 0.01), ("b", 0.02), ("c", 0.03))]
    found = experiment(sides, tmp_path)
    assert [contrast.says for contrast in found.contrasts] == [
        "b is better than a at its best held-out pass.", "c is better than a at its best held-out pass.",
        "b is better than a at its last held-out pass.", "c is better than a at its last held-out pass.",
    ]  # fmt: skip
    assert "a, b and c differ in: optim.lr 0.01, 0.02 and 0.03" in found.conditions
    with pytest.raises(BadInput, match="b and c are the same configuration"):
        experiment([sides[0], sides[1], sides[1]._replace(name="c")], tmp_path)
    with pytest.raises(BadInput, match=r"'a' trains for train\.steps 4 and 'c' for train\.steps 5"):
        experiment([*sides[:2], side(sizes, "c", **{"train.steps": 5})], tmp_path)


def test_a_comparison_is_named_by_its_configurations_and_not_by_their_order(sizes):
    sides = [side(sizes, "a"), side(sizes, "b", **{"optim.lr": 0.02})]
    assert (
        comparing.digest(sides)
        == comparing.digest(sides[::-1])
        == comparing.digest([side(sizes, "other", seed=5, out="elsewhere"), sides[1]])
    )
    assert comparing.digest(sides) != comparing.digest([sides[0], side(sizes, "b", **{"optim.lr": 0.03})])


@pytest.mark.parametrize(
    ("steps", "points"),
    [([[2, 4, 6], [2, 4, 6]], [(2, 1.5), (4, 1.5), (6, 1.5)]), ([[2, 4, 5], [2, 4, 6, 7]], [(2, 1.5), (4, 1.5)]),
     ([[5], [7]], [(6, 1.5)]), ([[], []], [])],
)  # fmt: skip
def test_losses_are_averaged_at_the_steps_of_all_seeds(sizes, tmp_path, steps, points):
    """Within a budget each training ends at a step of its own: the first one's stood for all."""
    sides = [side(sizes, "old"), side(sizes, "new", **{"optim.lr": 0.03})]
    found = experiment(sides, tmp_path)
    trials = {
        one.name: {seed: {"best": 1.0, "curve_steps": [float(x) for x in xs], "curve": [1.0 + seed] * len(xs)}
                   for seed, xs in enumerate(steps)}
        for one in sides
    }  # fmt: skip
    curves, _ = found.figures(Results(found, [0, 1], trials))
    assert [line.points for line in curves.lines] == [points, points]
