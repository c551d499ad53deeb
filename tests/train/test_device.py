"""Where a run computes, and in which precision."""

import pytest
import torch

from mainstem import config
from mainstem.train import device


@pytest.mark.parametrize(("fast", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_bfloat16_where_the_processor_multiplies_it(monkeypatch, fast, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: fast, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    run = device.settle(config.Run(machine=config.Machine(dtype="auto", device="cpu")))
    assert run.machine.dtype == expected
    assert device.choose(run.machine).dtype == getattr(torch, expected)


def test_a_torch_that_cannot_be_asked_computes_in_float32(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert device.settle(config.Run(machine=config.Machine(dtype="auto", device="cpu"))).machine.dtype == "float32"


def test_what_was_asked_for_stays():
    run = config.Run(machine=config.Machine(dtype="bfloat16", device="cpu"))
    assert device.settle(run) is run
