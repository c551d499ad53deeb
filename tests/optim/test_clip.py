"""Clipping by the global norm."""

import pytest
import torch

from mainstem.errors import BadInput
from mainstem.optim import clip
from mainstem.optim.clip import share


def parameters(*grads):
    made = []
    for grad in grads:
        p = torch.zeros(len(grad), requires_grad=True)
        p.grad = torch.tensor(grad)
        made.append(p)
    return [*made, torch.zeros(3, requires_grad=True)]  # one without a gradient


def grads(params):
    return [p.grad.tolist() for p in params if p.grad is not None]


def test_the_norm_is_over_all_tensors_and_is_that_before_clipping():
    params = parameters([3.0, 0.0], [4.0])
    assert clip(params, 2.5).item() == 5.0
    assert grads(params) == [[1.5, 0.0], [2.0]]


@pytest.mark.parametrize("max_norm", [0.0, 5.0, 6.0])
def test_nothing_is_scaled_within_the_norm_or_when_only_measuring(max_norm):
    params = parameters([3.0, 0.0], [4.0])
    assert clip(iter(params), max_norm).item() == 5.0
    assert grads(params) == [[3.0, 0.0], [4.0]]


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_a_norm_that_is_not_finite_is_returned_and_the_gradients_stay(bad):
    params = parameters([3.0], [bad])
    assert not clip(params, 1.0).isfinite()
    assert params[0].grad.item() == 3.0


def test_no_gradients_have_norm_zero():
    assert clip([torch.zeros(2, requires_grad=True)], 1.0).item() == 0.0


def test_zero_gradients_stay_zero():
    params = parameters([0.0, 0.0])
    assert clip(params, 1.0).item() == 0.0 and grads(params) == [[0.0, 0.0]]


def test_the_share_needs_no_look_at_the_norm():
    norms = [0.0, 1.0, 2.0, 8.0, float("inf"), float("nan")]
    assert [share(torch.tensor(norm), 2.0).item() for norm in norms] == [1.0, 1.0, 1.0, 0.25, 1.0, 1.0]


@pytest.mark.parametrize("wrong", [-1.0, float("nan")])
def test_a_norm_below_0_would_turn_the_gradients_round_and_is_refused(wrong):
    params = parameters([3.0, 0.0], [4.0])
    with pytest.raises(BadInput, match=f"max_norm {wrong} cannot be used: give a number of at least 0"):
        clip(params, wrong)
    assert grads(params) == [[3.0, 0.0], [4.0]]
    assert clip(params, float("inf")).item() == 5.0
    assert grads(params) == [[3.0, 0.0], [4.0]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_gradients_in_half_precision_have_a_norm_in_float32(dtype):
    """300 * 1000^0.5 is 9487 and 1e4 * 100^0.5 is 1e5: of the squares float16 has none, of the second norm neither."""
    for number, size, max_norm in ((300.0, 1000, 1.0), (1e4, 100, 4e4)):
        params = [torch.zeros(size // 2, dtype=dtype, requires_grad=True) for _ in range(2)]
        for p in params:
            p.grad = torch.full_like(p, number)
        stored = params[0].grad[0].item()
        expected = stored * size**0.5
        norm = clip(params, max_norm)
        assert norm.dtype == torch.float32 and norm.item() == pytest.approx(expected, rel=1e-6)
        assert params[0].grad[0].item() == pytest.approx(stored * max_norm / expected, rel=torch.finfo(dtype).eps)


def test_a_norm_is_over_halves_and_others_together():
    params = parameters([3.0, 0.0], [4.0])
    half = torch.zeros(1, dtype=torch.float16, requires_grad=True)
    half.grad = torch.full((1,), 12.0, dtype=torch.float16)
    assert clip([*params, half], 0.0).item() == 13.0
