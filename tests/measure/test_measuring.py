"""However a pass ends, its hooks are gone, and the next one is measured."""

import contextlib
import copy
import sys

import pytest
import torch
from linear_chain import chain
from torch import nn
from torch.optim import Optimizer
from torch.utils._python_dispatch import _get_current_dispatch_mode

from mainstem import measure
from mainstem.measure.quantity.update import ZeroWeights

optimizer = sys.modules[Optimizer.__module__]


def hooks(model):
    return sum(len(held) for module in model.modules()
               for held in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks))  # fmt: skip


def global_hooks():
    return len(optimizer._global_optimizer_pre_hooks) + len(optimizer._global_optimizer_post_hooks)


def test_hooks_are_removed_also_after_an_exception():
    model = chain([1.0] * 3)

    def fails():
        with measure.watch(model):
            model(torch.randn(2, 16, dtype=torch.float64)).sum().backward()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert hooks(model) == 0 and global_hooks() == 0
    with measure.watch(model):
        with pytest.raises(RuntimeError):
            model(torch.randn(2, 3, dtype=torch.float64))
        assert hooks(model) == 3  # of the pass one stays on the model until the next one, as torch may walk through it
    assert hooks(model) == 0
    assert _get_current_dispatch_mode() is None


class Fails(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.fails = nn.Linear(4, 4), True

    def forward(self, x):
        if self.fails:
            raise ValueError("what went wrong")
        return self.linear(x)


def test_what_goes_wrong_in_a_forward_is_what_is_raised_and_the_next_pass_is_measured():
    model, x = Fails(), torch.ones(2, 4)
    with measure.watch(model) as m:
        with pytest.raises(ValueError, match="what went wrong"):
            model(x)
        model.fails = False
        model(x)
        before = len(model._forward_hooks)
        model(x)
        assert len(model._forward_hooks) == before
    assert m.results["stream"] and not any(part._forward_hooks for part in model.modules())


class Again(nn.Module):
    """Is interrupted at its first call, or calls itself."""

    def __init__(self, way):
        super().__init__()
        self.linear, self.way = nn.Linear(4, 4), way

    def forward(self, x):
        way, self.way = self.way, None
        if way == "interrupted":
            raise KeyboardInterrupt
        return self.linear(self(x) if way == "calls itself" else x)


@pytest.mark.parametrize("way", ["interrupted", "calls itself"])
def test_a_pass_that_does_not_end_as_others_leaves_nothing_behind(way):
    model, x = Again(way), torch.ones(2, 4)
    with measure.watch(model) as m:
        with contextlib.suppress(KeyboardInterrupt):
            model(x)
        y = model(x)
        assert _get_current_dispatch_mode() is None
        assert m.results["stream"]["input"] == 1.0
    assert y.equal(model(x)) and hooks(model) == 0


def test_hooks_are_removed_where_a_pass_cannot_begin(monkeypatch):
    def fails(*_):
        raise MemoryError

    monkeypatch.setattr(ZeroWeights, "weight", fails)
    model = chain([1.0] * 3)
    with measure.watch(model), pytest.raises(MemoryError):
        model(torch.randn(2, 16, dtype=torch.float64))
    assert hooks(model) == 0 and global_hooks() == 0 and _get_current_dispatch_mode() is None


def test_a_model_that_was_frozen_since_is_watched():
    model = chain([1.0] * 3)
    watch = measure.watch(model)
    model.requires_grad_(False)
    with watch as m:
        model(torch.randn(2, 16, dtype=torch.float64))
    assert m.results["stream"] and hooks(model) == 0 and global_hooks() == 0


def test_a_copy_of_a_watched_model_is_not_watched():
    model, x = chain([1.0] * 3), torch.randn(2, 16, dtype=torch.float64)
    with measure.watch(model) as m:
        model(x)
        copied = copy.deepcopy(model)
        copied(x)
        assert m.passes == 1
        with measure.watch(copied) as other:
            copied(x)
        model(x)
    assert (m.passes, other.passes) == (2, 1)
    assert m.results["stream"] == other.results["stream"]
    with measure.watch(copied):
        pass
