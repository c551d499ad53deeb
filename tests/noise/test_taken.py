"""What taking over leaves in a model: hooks where something may draw, under names of their own, once."""

import copy

import pytest
import torch
from taken import WIDTH, built, run
from torch import nn

import mainstem
from mainstem import noise
from mainstem.errors import BadInput


def test_names_that_would_draw_the_same_are_told_apart():
    # Two words of equal length with one crc32 keep it behind any common prefix, as the checksum is linear.
    model = nn.ModuleDict({"plumless": nn.Dropout(0.5), "buckeroo": nn.Dropout(0.5)})
    noise.take_over(model)
    x = torch.ones(2, 64)
    assert not run(model["plumless"], x).equal(run(model["buckeroo"], x))


def test_what_never_draws_has_no_hook():
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Embedding(3, 4), nn.Dropout(0.5))
    noise.take_over(model)
    assert [bool(part._forward_pre_hooks) for part in model] == [False, False, False, True]


def test_a_wrapper_and_a_copy_have_the_masks_of_the_model():
    model, x = built("torch's encoder"), torch.randn(8, 6, WIDTH)
    wrapped = nn.DataParallel(copy.deepcopy(model))
    noise.take_over(model)
    noise.take_over(wrapped)
    whole = run(model, x)
    assert run(wrapped, x).equal(whole) and run(copy.deepcopy(model), x).equal(whole)


def test_after_an_exception_functions_are_torchs_again():
    model = built("eager attention")
    noise.take_over(model)
    with pytest.raises(RuntimeError):
        run(model, torch.randn(4, 6, 3))
    assert torch._C._len_torch_function_stack() == 0
    run(model, torch.randn(4, 6, WIDTH))


def test_what_is_taken_over_is_not_taken_twice():
    model = built("modules")
    taken = noise.take_over(model)
    with pytest.raises(BadInput, match=r"Sequential is taken over already: call remove"):
        noise.take_over(model)
    taken.remove()
    noise.take_over(model)


def test_a_kernel_of_ours_is_still_used():
    block = mainstem.Residual([nn.Linear(4, 4), noise.Dropout(0.5)])
    noise.take_over(nn.Sequential(block))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in block.modules())
