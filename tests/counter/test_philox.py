"""Philox: published vectors, streams of words, and what a seed may be."""

import draws
import pytest
import torch

from mainstem import counter
from mainstem.errors import BadInput

PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0)
KNOWN = [
    (10, (0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    (10, (0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (10, PI[:4], PI[4:], "d16cfe09 94fdcceb 5001e420 24126ea1"),
    (7, (0, 0, 0, 0), (0, 0), "5f6fb709 0d893f64 4f121f81 4f730a48"),
]


@pytest.mark.parametrize(("rounds", "c", "k", "expected"), KNOWN)
def test_philox_gives_the_published_words(rounds, c, k, expected):
    words = counter.philox(*map(torch.tensor, (*c, *k)), rounds=rounds)
    assert " ".join(f"{int(word):08x}" for word in words) == expected
    assert " ".join(f"{word:08x}" for word in draws.philox(c, k, rounds)) == expected


def test_philox_takes_many_counters_at_once():
    c0 = torch.tensor([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
    words = counter.philox(c0, *map(torch.tensor, (5, 3, 0xDEADBEEF, 0x89ABCDEF, 0xF1234567)))
    for i, first in enumerate(c0.tolist()):
        assert [int(word[i]) for word in words] == draws.philox((first, 5, 3, 0xDEADBEEF), (0x89ABCDEF, 0xF1234567))


def test_a_site_is_the_crc_of_its_purpose_and_name():
    assert counter.site_id("drop", "blocks.0.attn.out") == 0x1780AABA
    assert counter.site_id("init", "blocks.0.attn.out") != 0x1780AABA


@pytest.mark.parametrize("start", [0, 1, 2, 3, 4, 7])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
def test_any_part_of_a_stream_of_words_can_be_had_alone(start, count):
    whole = counter.words(9, 77, 20, step=4, view=2, sample=11)
    part = counter.words(9, 77, count, start=start, step=4, view=2, sample=11)
    assert part.tolist() == whole[start : start + count].tolist()


def test_words_are_numbered_along_the_counter():
    found = counter.words((1 << 64) - 2, 77, 5, start=6, step=4, view=2, sample=11).tolist()
    stream = [word for c0 in range(3) for word in draws.philox((c0, 11, 2 << 28 | 4, 77), (0xFFFFFFFE, 0xFFFFFFFF))]
    assert found == stream[6:11]


def test_the_end_of_a_stream_is_refused():
    end = 1 << 34
    expected = draws.philox(((1 << 32) - 1, 0, 0, 5), (1, 0))[3]
    assert counter.words(1, 5, 1, start=end - 1).tolist() == [expected]
    with pytest.raises(BadInput, match=r"beyond 2\^34"):
        counter.words(1, 5, 2, start=end - 1)


@pytest.mark.parametrize("change", [{"step": 1}, {"view": 1}, {"sample": 1}, {"seed": 2}, {"site": 6}])
def test_each_part_of_the_counter_changes_the_words(change):
    where = {"seed": 1, "site": 5, "count": 8, "step": 0, "view": 0, "sample": 0}
    assert not counter.words(**where).equal(counter.words(**{**where, **change}))


def test_uniforms_lie_inside_the_interval_and_are_even():
    u = counter.uniforms(3, 8, 1 << 16)
    assert 0 < u.min() and u.max() < 1
    assert abs(u.mean() - 0.5) < 4 * (1 / 12) ** 0.5 / 256


def test_normals_have_mean_zero_and_variance_one():
    z = counter.normals(3, 8, 1 << 16)
    assert z.isfinite().all()
    assert abs(z.mean()) < 4 / 256
    assert abs(z.var() - 1) < 4 * 2**0.5 / 256


@pytest.mark.parametrize(("seed", "expected"), [(0, 0), (1 << 63, -(1 << 63)), ((1 << 64) - 1, -1)])
def test_a_seed_is_any_64_bits(seed, expected):
    assert counter.signed(seed) == expected
    low, high = counter.key_words(torch.tensor(expected))
    assert int(low) | int(high) << 32 == seed


@pytest.mark.parametrize("seed", [-1, 1 << 64])
def test_a_seed_outside_is_refused(seed):
    with pytest.raises(BadInput, match=str(seed)):
        counter.signed(seed)
