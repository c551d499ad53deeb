"""Shapes without memory: those that torch gives, for each function that is answered here in its place."""

import pytest
import torch
import torch.nn.functional as F

from mainstem.nn.unmade import unmade

CALLS = {
    "eye": lambda: torch.eye(3),
    "a wide eye": lambda: torch.eye(3, 5, dtype=torch.float64),
    "one_hot": lambda: F.one_hot(torch.zeros(2, 4, dtype=torch.int64), 6),
    "cat": lambda: torch.cat([torch.zeros(2, 3), torch.zeros(2, 4)], dim=1),
    "cat along the last": lambda: torch.cat([torch.zeros(3), torch.zeros(4), torch.zeros(1)], -1),
    "repeat": lambda: torch.zeros(3).repeat(2, 1),
    "repeat of rows": lambda: torch.zeros(3, 2).repeat(4, 2, 3),
    "times": lambda: 2.0 * torch.zeros(3, 2),
    "minus": lambda: torch.zeros(3, 2) - 8.0,
    "plus a row": lambda: torch.zeros(3, 2) + torch.zeros(2),
    "a layer": lambda: torch.nn.Linear(3, 2).weight,
}


@pytest.mark.parametrize("name", CALLS)
def test_shapes_are_torchs(name):
    made = CALLS[name]()
    with unmade():
        found = CALLS[name]()
    assert found.is_meta and (found.shape, found.dtype) == (made.shape, made.dtype)
    assert not CALLS[name]().is_meta
