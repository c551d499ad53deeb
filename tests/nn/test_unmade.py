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
    "a row times a column": lambda: torch.zeros(3)[:, None] * torch.zeros(4, dtype=torch.float64),
    "integers plus one": lambda: torch.zeros(3, dtype=torch.int64) + 1,
    "integers plus a half": lambda: torch.zeros(3, dtype=torch.int64) + 0.5,
    "a quotient of integers": lambda: torch.zeros(3, dtype=torch.int64) / 2,
    "a quotient": lambda: torch.zeros(3, dtype=torch.float64) / torch.ones(3),
    "a power": lambda: 10.0 ** torch.zeros(3, dtype=torch.float64),
    "arange": lambda: torch.arange(7),
    "arange in steps": lambda: torch.arange(1, 8, 3),
    "arange of fractions": lambda: torch.arange(0, 1, 0.3),
    "arange by name": lambda: torch.arange(1, end=7),
    "arange of a dtype": lambda: torch.arange(0, 7, 2, dtype=torch.float64),
    "minus all": lambda: -torch.zeros(2, 3, dtype=torch.float64),
    "cosine": lambda: torch.zeros(2, 3).cos(),
    "sine": lambda: torch.zeros(2, 3, dtype=torch.float64).sin(),
    "random": lambda: torch.randn(3, 4),
    "random of a shape and dtype": lambda: torch.randn((3, 4), dtype=torch.float64),
    "random with a generator": lambda: torch.randn(5, generator=torch.Generator()),
    "drawn anew": lambda: torch.zeros(3, 2).normal_(0.0, 0.1),
    "drawn by a layer": lambda: torch.nn.Embedding(3, 2).weight,
    "a layer": lambda: torch.nn.Linear(3, 2).weight,
}


@pytest.mark.parametrize("name", CALLS)
def test_shapes_are_torchs(name):
    made = CALLS[name]()
    with unmade():
        found = CALLS[name]()
    assert found.is_meta and (found.shape, found.dtype) == (made.shape, made.dtype)
    assert not CALLS[name]().is_meta
