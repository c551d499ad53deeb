"""Sampling: a function of the seed, cached, bounded by the context."""

import sys

import numpy as np
import pytest
import torch
from metal import Metal
from variants import shaken, small

from mainstem import counter
from mainstem.errors import BadInput
from mainstem.model import generate
from mainstem.model.generate import generate_rows, pick


def drawn(seed, number):
    return float(counter.uniforms(seed, counter.site_id("sample-text", ""), 1, start=number))


def test_equal_seeds_give_equal_text():
    model = shaken(small("pre_norm"))
    one, same, other = (list(generate(model, [1, 2], 30, seed=seed)) for seed in (1, 1, 2))
    assert one == same != other
    assert model.training


@pytest.mark.parametrize("kind", [tuple, np.array, torch.tensor, lambda tokens: np.array(tokens, np.uint16)])
@pytest.mark.parametrize("tokens", [[0], [0, 2]])
def test_a_prompt_may_be_an_array(kind, tokens):
    model = shaken(small("pre_norm"))
    found = list(generate(model, kind(tokens), 5))
    assert found == list(generate(model, tokens, 5)) and {type(token) for token in found} == {int}


@pytest.mark.parametrize(
    "changes",
    [
        {"positions": "rotary"},
        {"positions": "learned"},
        {"positions": "none"},
        {"embedding": {"name": "ngrams", "order": 4}},
    ],
)
def test_greedy_text_is_what_the_whole_pass_says_until_the_context_is_full(changes):
    model = shaken(small("pre_norm", **changes)).eval()
    text = [3]
    for token in generate(model, text, 7, temperature=0):
        assert token == int(model(torch.tensor([text]))[0, -1].argmax())
        text.append(token)


def test_longer_than_the_context_goes_on_and_says_what_it_sees():
    model = small("denseformer")  # a context of 8
    with pytest.warns(UserWarning, match="has 12 tokens, more than the context of 8: .* the last 8 ") as said:
        found = list(generate(model, list(range(12)), 40))
    assert [each.filename for each in said] == [__file__]
    assert len(found) == 40
    assert found == list(generate(model, list(range(4, 12)), 40))  # which fits, and no warning is an error here


def test_a_full_context_goes_on_from_its_later_half():
    model = shaken(small("pre_norm")).eval()  # a context of 8
    for seed in range(5):
        text, begin = [3, 1, 4], 0
        for number, token in enumerate(generate(model, text, 14, seed=seed)):
            if len(text) - begin > model.context:
                begin = len(text) - model.context // 2
            assert token == pick(model(torch.tensor([text[begin:]]))[0, -1], drawn(seed, number))
            text.append(token)
        assert begin == 10


def test_texts_together_are_what_each_is_alone(monkeypatch):
    monkeypatch.setattr(sys.modules[generate_rows.__module__], "_DRAWN", 7)  # the package names a function so
    model = shaken(small("pre_norm")).double()
    rows, seeds = [[1, 2, 3], [4, 5, 6], [3, 3, 3]], [5, 0, 5]
    together = zip(*generate_rows(model, rows, 40, seeds, 0.9, 8), strict=True)
    for row, seed, found in zip(rows, seeds, together, strict=True):
        assert list(found) == list(generate(model, row, 40, seed, 0.9, 8))


def test_the_nth_token_takes_the_nth_number_of_its_seed():
    model, text = shaken(small("pre_norm")).eval(), [3]
    for number, token in enumerate(generate(model, [3], 6, seed=11)):
        assert token == pick(model(torch.tensor([text]))[0, -1], drawn(11, number))
        text.append(token)


def test_texts_of_different_lengths_are_refused():
    with pytest.raises(BadInput, match=r"\[1, 2\] tokens"):
        next(generate_rows(small("pre_norm"), [[1], [1, 2]], 1, [0, 1]))


def test_pick_follows_the_distribution():
    logits = torch.log(torch.tensor([0.5, 0.25, 0.25]))
    assert [pick(logits, u) for u in (0.0, 0.49, 0.51, 0.74, 0.76, 0.999999)] == [0, 0, 1, 1, 2, 2]
    assert {pick(logits, u / 100, top_k=1) for u in range(100)} == {0}
    assert {pick(logits, u / 100, top_k=2) for u in range(100)} == {0, 1}
    assert pick(torch.tensor([0.0, -float("inf")]), 1 - 1e-16) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tokens": []}, "prompt"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_k": 0}, "top-k"),
    ],
)
def test_bad_input(given, said):
    with pytest.raises(BadInput, match=said):
        list(generate(small("pre_norm"), **{"tokens": [1], "num_tokens": 1, **given}))


@pytest.mark.parametrize("temperature", [1e-3, 1e-300, 1e-308, 5e-324])
def test_the_smallest_temperatures_take_the_likeliest(temperature):
    assert pick(torch.tensor([0.0, 9.0, 3.0]), 0.5, temperature) == 1


EVEN = [1.0, 3.0, 3.0, 2.0, 3.0, -float("inf")]


@pytest.mark.parametrize("temperature", [1e-300, 0.5, 1.0, 1e300])
@pytest.mark.parametrize(("top_k", "kept"), [(1, {1}), (2, {1, 2}), (3, {1, 2, 4}), (4, {1, 2, 3, 4})])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_of_equal_tokens_the_first_are_kept_and_no_more_than_were_asked_for(temperature, top_k, kept, dtype):
    """One token alone is that of temperature 0, whatever is drawn."""
    logits = torch.tensor(EVEN, dtype=dtype)
    found = {pick(logits, u / 1000, temperature, top_k) for u in range(1000)}
    assert found == (kept & {1, 2, 4} if temperature < 1e-3 else kept)
    assert pick(logits, 0.999, temperature, 1) == pick(logits, 0.999, 0) == 1


def test_what_is_drawn_on_a_device_without_float64_is_what_the_cpu_draws():
    logits = torch.randn(50, generator=torch.Generator().manual_seed(0))
    on_device = logits.as_subclass(Metal)
    for top_k in (None, 1, 7):
        for number in range(20):
            chance = drawn(3, number)
            assert pick(on_device, chance, 0.8, top_k) == pick(logits, chance, 0.8, top_k)
