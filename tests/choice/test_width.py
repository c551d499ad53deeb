"""Widths that heads divide, and contexts that a text has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mainstem import config
from mainstem.choice.table import BATCHES, WINDOWS, Size
from mainstem.choice.width import around, batched, fitting, heads

SIZE = Size(4, 128, 128, 16, 0, 0, "a")


def run(**model: object) -> config.Run:
    return config.load({f"model.{name}": value for name, value in model.items()}, recipe="default")


@given(st.integers(1, 64))
def test_a_width_is_one_that_the_given_heads_divide(number: int) -> None:
    found = around(SIZE, run(heads=number, width=2 * number), {"model.heads"}, 10**6)
    assert 128 <= found.width < 128 + 2 * number
    assert found.width % (2 * number) == 0


@given(st.integers(1, 2000).map(lambda half: 2 * half))
def test_heads_divide_any_even_width(width: int) -> None:
    found = heads(width, run(), ())
    assert width % (2 * found) == 0


def test_heads_around_what_is_given() -> None:
    assert heads(128, run(heads=8, kv_heads=8), {"model.kv_heads"}) == 8
    assert heads(128, run(head_width=16), {"model.head_width"}) == 8
    assert heads(33, run(heads=1, positions="learned", width=33), ()) == 1
    assert heads(45, run(heads=3, positions="learned", width=45), ()) == 1
    assert heads(512, run(), ()) == 8


def test_a_batch_holds_whole_parts() -> None:
    given_micro = config.load({"train.micro_batch": 12, "train.batch": 24}, recipe="default")
    assert around(SIZE, given_micro, {"train.micro_batch"}, 10**6).batch == 24
    assert around(SIZE, given_micro, {"train.batch"}, 10**6).batch == 24
    assert around(SIZE, run(), (), 10**6).batch == 16


def test_a_large_batch_is_for_many_steps_in_few_passes() -> None:
    row = BATCHES[0]
    few = int(row.steps * 2048 / (row.high - 0.1))
    assert batched(SIZE, row.steps, run(), (), few) == (SIZE._replace(batch=row.batch), row.basis)
    assert batched(SIZE, row.steps, run(), (), int(row.steps * 2048 / (row.low - 0.1))) == (SIZE, "a")
    assert batched(SIZE, row.steps - 1, run(), (), few) == (SIZE, "a")
    assert batched(SIZE, row.steps, run(), (), int(row.steps * 2048 / row.high)) == (SIZE, "a")
    assert batched(SIZE, row.steps, run(), {"train.batch"}, few) == (SIZE, "a")
    parts = config.load({"train.micro_batch": 12, "train.batch": 24}, recipe="default")
    assert batched(SIZE, row.steps, parts, (), few)[0].batch == 36


@given(st.integers(1, 2000))
def test_a_short_text_has_a_shorter_context(tokens: int) -> None:
    found = fitting(128, tokens)
    assert found == 1 or found * WINDOWS <= tokens
    assert found == 128 or 2 * found * WINDOWS > tokens
