"""The scope of a forward pass: what it holds, when it ends, what it takes, and draws that it does not give."""

import threading
import warnings

import numpy as np
import pytest
import torch

from mainstem import counter
from mainstem.errors import BadInput


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
