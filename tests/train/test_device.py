"""Where a run computes, and in which precision."""

import pytest
import torch

from mainstem import config
from mainstem.train import device


@pytest.fixture
def multiplies(monkeypatch):
    """A processor that multiplies bfloat16."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)


@pytest.mark.parametrize(("bfloat16", "expected"), [(1.0, "bfloat16"), (4.0, "float32")])
def test_auto_is_bfloat16_where_the_processor_is_faster_so(monkeypatch, multiplies, bfloat16, expected):
    took = {torch.float32: 2.0, torch.bfloat16: bfloat16}
    monkeypatch.setattr(device, "_product", took.__getitem__)
    run = device.settle(config.Run(machine=config.Machine(dtype="auto", device="cpu")))
    assert run.machine.dtype == expected
    assert device.choose(run.machine).dtype == getattr(torch, expected)


def test_one_product_that_was_held_up_decides_nothing(multiplies):
    seconds = {torch.float32: iter([9.0, *[2.0] * 99]), torch.bfloat16: iter([1.0, *[9.0] * 99])}
    assert device.bfloat16_is_faster(lambda dtype: next(seconds[dtype]))
    seconds = {torch.float32: iter([9.0, *[2.0] * 99]), torch.bfloat16: iter([3.0, *[3.0] * 99])}
    assert not device.bfloat16_is_faster(lambda dtype: next(seconds[dtype]))


def test_a_processor_without_the_instruction_is_not_timed(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)

    def timed(dtype):
        raise AssertionError("emulated products take long")

    assert not device.bfloat16_is_faster(timed)


def test_a_torch_that_cannot_be_asked_computes_in_float32(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert device.settle(config.Run(machine=config.Machine(dtype="auto", device="cpu"))).machine.dtype == "float32"


def test_what_was_asked_for_stays():
    run = config.Run(machine=config.Machine(dtype="bfloat16", device="cpu"))
    assert device.settle(run) is run
