"""The counter: published vectors, streams of words, and the scope of a forward pass."""

import threading
import warnings

import draws
import numpy as np
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


def test_a_scope_holds_its_numbers_and_ends():
    assert counter.current() is None
    with counter.counter(seed=(1 << 64) - 1, step=3, view=2, samples=[4, 0]) as scope:
        assert counter.current() is scope
        assert scope.draw.key.tolist() == [-1, 3, 2]
        assert scope.draw.samples.tolist() == [4, 0]
        with counter.counter(seed=1, step=0, samples=torch.arange(2)) as inner:
            assert counter.current() is inner
        assert counter.current() is scope
    assert counter.current() is None


def test_a_scope_ends_when_its_block_fails():
    with pytest.raises(KeyError), counter.counter(seed=1, step=0, samples=[0]):
        raise KeyError
    assert counter.current() is None


def test_a_scope_belongs_to_its_thread():
    seen = []
    with counter.counter(seed=1, step=0, samples=[0]):
        thread = threading.Thread(target=lambda: seen.append(counter.current()))
        thread.start()
        thread.join()
    assert seen == [None]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("step", {"step": 1 << 28}),
        ("step", {"step": -1}),
        ("view", {"view": 16}),
        ("sample", {"samples": [0, (1 << 32) - 1]}),
        ("sample", {"samples": [-1]}),
    ],
)
def test_what_the_counter_has_no_room_for_is_refused(name, values):
    with pytest.raises(BadInput, match=name):
        counter.counter(**{"seed": 1, "step": 0, "samples": [0], **values})


@pytest.mark.parametrize("name", ["seed", "step", "view", "samples"])
def test_a_number_on_the_meta_device_is_refused(name):
    value = torch.zeros([2] if name == "samples" else [], dtype=torch.int64, device="meta")
    with pytest.raises(BadInput, match=rf"{name.removesuffix('s')} is on meta, where tensors have no numbers: give it"):
        counter.counter(**{"seed": 1, "step": 0, "samples": [0, 1], name: value})


@pytest.mark.parametrize("wrong", [{1: 2}.keys(), {1, 2}, "01", None, [None], [[1], [2, 3]], ["1"]])
def test_samples_of_another_kind_are_refused_in_a_sentence(wrong):
    with pytest.raises(BadInput, match=r"^The samples are .{1,60}: give a whole number for each row of the batch\.$"):
        counter.counter(seed=0, step=0, samples=wrong)


@pytest.mark.parametrize("name", ["seed", "step", "view", "samples"])
@pytest.mark.parametrize("wrong", [1.5, 2.0, "1", None])
def test_a_number_that_is_not_whole_is_refused_and_not_cut(name, wrong):
    given = {"seed": 1, "step": 0, "view": 0, "samples": [0, 1]}
    said = "sample" if name == "samples" else name
    if isinstance(wrong, float):
        for value in (wrong, np.float64(wrong), torch.tensor(wrong)):
            with pytest.raises(BadInput, match=f"^{said} .*whole number"):
                counter.counter(**given | {name: [0, value] if name == "samples" else value})
    elif name != "samples":
        with pytest.raises(BadInput, match=f"^{said} .* is no whole number"):
            counter.counter(**given | {name: wrong})


@pytest.mark.parametrize("of", [np.int64, np.uint8, np.int32, torch.tensor])
def test_whole_numbers_of_numpy_and_torch_are_those_of_python(of):
    plain = counter.counter(seed=3, step=5, view=2, samples=[4, 1])
    other = counter.counter(seed=of(3), step=of(5), view=of(2), samples=[of(4), of(1)])
    for given in (other, counter.counter(seed=3, step=5, view=2, samples=np.array([4, 1]))):
        with plain as one, given as two:
            assert one.draw.key.equal(two.draw.key) and one.draw.samples.equal(two.draw.samples)
            assert two.draw.samples.dtype == two.draw.key.dtype == torch.int64
        plain = counter.counter(seed=3, step=5, view=2, samples=[4, 1])
    with counter.counter(seed=0, step=0, samples=[]) as none:
        assert none.draw.samples.dtype == torch.int64


@pytest.mark.parametrize("draws", [True, False])
def test_a_draw_from_torch_inside_a_scope_is_noticed(draws):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with counter.counter(seed=0, step=0, samples=[0]):
            torch.rand(1) if draws else torch.ones(1)
        torch.rand(1)
    assert [each.filename for each in seen] == ([__file__] if draws else [])
    assert all("noise.take_over" in str(each.message) for each in seen)


def test_the_largest_numbers_are_taken():
    with counter.counter(seed=0, step=(1 << 28) - 1, view=15, samples=[(1 << 32) - 2]) as scope:
        assert scope.draw.key.tolist() == [0, (1 << 28) - 1, 15]


def test_a_site_that_draws_twice_has_two_names():
    with counter.counter(seed=0, step=0, samples=[0]) as scope:
        assert [scope.visit("a"), scope.visit("b"), scope.visit("a"), scope.visit("a")] == ["a", "b", "a@1", "a@2"]
