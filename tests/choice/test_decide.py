"""The choice is a function of numbers: the same for the same, more for more time, and around what is given."""

from __future__ import annotations

import itertools
import math
from typing import Any

import msgspec
import pytest
from examples import one_in
from hypothesis import example, given
from hypothesis import strategies as st

from mainstem import choice, config
from mainstem.choice import Corpus, Speed, choose, rules, table
from mainstem.choice.given import FIELDS
from mainstem.choice.table import Size
from mainstem.train import cadence

RECIPE = config.load(recipe="default")
TEXT = Corpus(3_700_000, 1, 1_150_000, 128_000, "bpe", 4096, "3700000 characters: enough text; more")
BUDGETS = (2.0, 10.0, 40.0, 150.0, 600.0, 3600.0, 86_400.0)

corpora = st.builds(
    Corpus,
    num_bytes=st.integers(1, 10**10),
    documents=st.integers(1, 10**6),
    tokens=st.integers(1, 10**10),
    held_out=st.integers(1, 10**6),
    tokenizer=st.sampled_from(["char", "byte", "bpe"]),
    vocabulary=st.integers(2, 10**5),
)
speeds = st.builds(Speed, st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))


def applied(found: choice.Choice, run: config.Run = RECIPE) -> config.Run:
    """Return the run as the choice has it."""
    for name, value in found.values.items():
        run = config.put(run, name, value)
    model = msgspec.structs.replace(run.model, hidden=None, kv_heads=None)
    return config.checked(msgspec.structs.replace(run, model=model))


@given(corpora, speeds, st.floats(0, 1e6), st.floats(0, 100))
def test_any_numbers_give_a_run_that_can_be(corpus: Corpus, speed: Speed, budget: float, spent: float) -> None:
    found = choose(corpus, speed, budget, RECIPE, spent=spent)
    run = applied(found)
    assert found == choose(corpus, speed, budget, RECIPE, spent=spent)
    assert set(found.values) == set(FIELDS)
    assert run.model.context is not None
    assert run.model.context == 1 or run.model.context * table.WINDOWS <= corpus.tokens
    assert 1 <= run.evaluate.every <= max(1, found.steps)


@given(corpora, speeds, st.floats(0, 1e6), st.floats(1, 100))
def test_more_time_never_gives_a_smaller_model(corpus: Corpus, speed: Speed, budget: float, factor: float) -> None:
    less, more = (choose(corpus, speed, time, RECIPE) for time in (budget, factor * budget))
    assert order(less.values) <= order(more.values)


@given(corpora, st.floats(1e-3, 1e3), st.floats(1, 1e6), st.floats(1, 100))
def test_a_faster_machine_never_gives_a_smaller_model(
    corpus: Corpus, slow: float, budget: float, factor: float
) -> None:
    less, more = (choose(corpus, Speed(each, each), budget, RECIPE) for each in (slow, slow / factor))
    assert order(less.values) <= order(more.values)


@given(corpora, speeds, st.floats(0, 1e6))
def test_a_size_has_the_steps_and_the_text_that_its_row_asks_for(corpus: Corpus, speed: Speed, budget: float) -> None:
    found = choose(corpus, speed, budget, RECIPE)
    row = table.SIZES[order(found.values)]
    own = choice.Shape(row.layers, row.width, found.values["model.context"], row.batch, corpus.vocabulary)
    steps = int(max(0.0, table.USABLE * (budget - table.FIXED)) / choice.seconds(own, speed))
    assert row is table.SIZES[0] or (steps >= row.steps and corpus.tokens >= row.tokens)


def order(values: dict[str, Any]) -> int:
    """Return the number of the row of the table that has this model."""
    return [size[:2] for size in table.SIZES].index((values["model.layers"], values["model.width"]))


@one_in(3)
@given(corpora, st.floats(1, 1e5), st.data())
def test_what_is_given_stays(corpus: Corpus, budget: float, data: st.DataObject) -> None:
    some: dict[str, Any] = {
        "model.layers": 5, "model.width": 96, "model.heads": 8, "model.members": 3, "model.context": 24,
        "train.batch": 7,
        "train.patience": 9, "train.passes": 2.5, "optim.lr": 0.5, "optim.muon_lr": 0.25, "optim.decay": 0.75,
        "noise.rate": 0.125, "evaluate.every": 11, "save.every": 13,
    }  # fmt: skip
    names = data.draw(st.sets(st.sampled_from(sorted(some))))
    run = config.load({**{name: some[name] for name in names}, "model.context": 24}, recipe="default")
    found = choose(corpus, Speed(), budget, run, names)
    assert set(found.values) == set(FIELDS) - names
    whole = applied(found, run)
    assert all(config.at(whole, name) == some[name] for name in names)


def test_the_rows_of_the_tables_are_in_order() -> None:
    for smaller, larger in itertools.pairwise(table.SIZES):
        assert smaller.steps <= larger.steps
        assert smaller.tokens <= larger.tokens
        cost, more = (choice.seconds(choice.Shape(*size[:4], 1024), Speed()) for size in (smaller, larger))
        assert cost < more
    assert [row.passes for row in table.REGULARIZATION] == sorted({row.passes for row in table.REGULARIZATION})
    assert [row.width for row in table.RATES] == sorted({row.width for row in table.RATES})
    assert (table.SIZES[0].steps, table.SIZES[0].tokens, table.REGULARIZATION[0].passes) == (0, 0, 0)


def test_sizes_by_time_and_by_text(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = (
        Size(1, 32, 64, 16, 0, 0, "a"), Size(4, 128, 128, 16, 500, 0, "b"), Size(6, 256, 128, 16, 4000, 10**6, "c"),
    )  # fmt: skip
    monkeypatch.setattr("mainstem.choice.decide.SIZES", sizes)
    widths = [choose(TEXT, Speed(), budget, RECIPE).values["model.width"] for budget in BUDGETS]
    assert widths == sorted(widths)
    assert set(widths) == {32, 128, 256}
    small = msgspec.structs.replace(TEXT, tokens=900_000)
    assert {choose(small, Speed(), budget, RECIPE).values["model.width"] for budget in BUDGETS} == {32, 128}


def test_half_of_the_steps_take_half_of_the_time() -> None:
    found = choose(TEXT, Speed(), 600.0, RECIPE)
    values = found.values
    shape = choice.Shape(
        values["model.layers"], values["model.width"], values["model.context"], values["train.batch"], TEXT.vocabulary
    )
    took = found.steps * choice.seconds(shape, Speed())
    assert took == pytest.approx(table.USABLE * (600.0 - table.FIXED), rel=0.01)
    assert choose(TEXT, Speed(), 600.0, RECIPE, spent=300.0).steps == pytest.approx(found.steps / 2, rel=0.02)


def test_another_optimizer_keeps_its_own_rates() -> None:
    run = config.load({"optim.name": "adamw"}, recipe="default")
    found = choose(TEXT, Speed(), 150.0, run, {"optim", "optim.name"})
    assert not {"optim.lr", "optim.muon_lr"} & set(found.values)
    assert "optim.decay" in found.values


def test_each_decision_says_why() -> None:
    for budget in BUDGETS:
        for decision in choose(TEXT, Speed(), budget, RECIPE).decisions:
            assert decision.why and decision.said and len(decision.said) <= 11
            assert "\n" not in decision.why


@pytest.mark.parametrize("spent", [0.0, 4.0, 40.0])
def test_too_little_time_says_how_much_is_enough(spent: float) -> None:
    for budget in (0.5, 3.0, 5.5, 6.5, 50.0, 600.0):
        found = choose(TEXT, Speed(), budget, RECIPE, spent=spent)
        if found.steps >= table.FEWEST:
            assert found.doubt is None
            continue
        assert found.doubt is not None
        assert f"give {found.least:.0f}s or more" in found.doubt
        assert "no step" in found.doubt if not found.steps else f"about {found.steps} step" in found.doubt
        enough = choose(TEXT, Speed(), found.least, RECIPE, spent=spent)
        assert enough.steps >= table.FEWEST
        assert enough.doubt is None
        assert choose(TEXT, Speed(), found.least - 1.1, RECIPE, spent=spent).steps <= table.FEWEST + 1
        assert found.values["evaluate.every"] == max(1, found.steps)


@given(corpora, speeds, st.floats(1, 1e6))
def test_a_text_is_not_seen_more_often_than_pays(corpus: Corpus, speed: Speed, budget: float) -> None:
    values = choose(corpus, speed, budget, RECIPE).values
    assert values["train.passes"] == table.MOST
    batch = values["train.batch"] * values["model.context"]
    assert values["evaluate.every"] <= max(1, table.MOST * corpus.tokens / batch + 1)


@given(corpora, speeds, st.floats(1, 1e6), st.floats(1, 100))
def test_there_are_as_many_networks_as_have_time_for_their_passes(
    corpus: Corpus, speed: Speed, budget: float, factor: float
) -> None:
    found = choose(corpus, speed, budget, RECIPE)
    values, members = found.values, found.values["model.members"]
    wanted = math.ceil(table.EACH * corpus.tokens / (values["train.batch"] * values["model.context"]))
    assert 1 <= members <= table.MEMBERS
    assert members == 1 or members * wanted <= found.steps
    assert members == table.MEMBERS or (members + 1) * wanted > found.steps
    more = choose(corpus, speed, factor * budget, RECIPE).values
    assert order(more) > order(values) or more["model.members"] >= members


def test_members_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    small = msgspec.structs.replace(TEXT, tokens=180_000, tokenizer="char", vocabulary=318)
    found = [choose(small, Speed(), budget, RECIPE) for budget in (150.0, 600.0, 7200.0)]
    assert [one.values["model.members"] for one in found] == [5, 8, 8]
    # Steps of all networks at once: where each has its twenty passes, more time changes nothing.
    assert choose(small, Speed(), 72_000.0, RECIPE).values == found[2].values
    sam = config.load({"optim.around": "sam"}, recipe="default")
    applied(alone := choose(small, Speed(), 600.0, sam, {"optim.around"}), sam)
    assert alone.values["model.members"] == 1
    endless = config.load({"train.passes": None, "train.budget": "10m"}, recipe="default")
    assert choose(small, Speed(), 600.0, endless, {"train.passes"}).values["model.members"] == 1


def test_members_that_are_given_cost_their_time() -> None:
    run = config.load({"model.members": 4}, recipe="default")
    one, four = choose(TEXT, Speed(), 150.0, RECIPE), choose(TEXT, Speed(), 4 * 145.0 + 5.0, run, {"model.members"})
    assert one.steps == pytest.approx(four.steps, rel=0.01)
    assert {**four.values, "model.members": 1} == one.values
    assert "model.members" not in four.values


def test_given_passes_are_those_that_regularize() -> None:
    run = config.load({"train.passes": 300.0}, recipe="default")
    small = msgspec.structs.replace(TEXT, tokens=20_000)
    few, many = choose(small, Speed(), 600.0, RECIPE), choose(small, Speed(), 600.0, run, {"train.passes"})
    assert few.values["evaluate.every"] < many.values["evaluate.every"]
    assert few.steps == many.steps  # those that fit
    assert "train.passes" not in many.values


@pytest.mark.parametrize(("budget", "said"), [(1.0, "the one step that is taken is less"), (40.0, "steps that fit")])
def test_a_budget_without_a_step_is_not_said_to_have_all_of_them(budget: float, said: str) -> None:
    (passes,) = [each for each in choose(TEXT, Speed(), budget, RECIPE).decisions if each.title == "passes"]
    assert said in passes.why and "all 0" not in passes.why


@pytest.mark.parametrize("budget", [8.0, 60.0, 600.0])
@pytest.mark.parametrize("share", [0.2, 1.0, 3.0])
def test_steps_that_were_timed_stand_in_the_place_of_those_of_the_cost_model(budget: float, share: float) -> None:
    plain = choose(TEXT, Speed(), budget, RECIPE)
    number = 7 + round(share * plain.steps)
    found = choose(TEXT, Speed(), budget, RECIPE, timed=number)
    assert found.steps == number
    assert found.count == number // found.values["model.members"]
    sizes = ("model.layers", "model.width", "model.heads", "model.context", "train.batch")
    assert [found.values[name] for name in sizes] == [plain.values[name] for name in sizes]
    (why,) = [one.why for one in found.decisions if one.title == "size"]
    assert why.startswith(f"{number:,} steps fit")
    assert found.least > budget or found.doubt is None


@given(st.integers(1, 100_000), st.floats(1e-3, 1e6))
@example(250, 30.0)
def test_as_many_passes_are_said_as_a_run_makes(steps: int, seconds: float) -> None:
    measured, _ = rules.cadence(steps, seconds)
    every = measured.values["evaluate.every"]
    assert measured.said == f"each {every:,}"
    assert int(measured.why.split()[0]) == cadence.passes(steps, every)


@pytest.mark.parametrize(
    ("passes", "said"), [(300.0, "two want 300 passes each"), (None, "train.passes sets no end"), (2.0, "each takes")]
)
def test_the_reason_for_one_network_goes_by_the_passes_that_are_given(passes: float | None, said: str) -> None:
    run = config.load({"train.passes": passes, "train.budget": "10m"}, recipe="default")
    small = msgspec.structs.replace(TEXT, tokens=180_000, tokenizer="char", vocabulary=318)
    found = choose(small, Speed(), 600.0, run, {"train.passes"}).decisions
    (members,) = [each for each in found if each.title == "members"]
    assert said in members.why and "6 passes" not in members.why
