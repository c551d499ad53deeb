"""What a checkpoint computes again, in a model that was taken over, draws what its forward has drawn."""

import pytest
import torch
import torch.nn.functional as F
from taken import WIDTH, Eager, run
from torch import nn
from torch.utils.checkpoint import checkpoint as plain_checkpoint

import mainstem
from mainstem import noise


class Blocks(nn.Module):
    def __init__(self, checkpoint=None):
        super().__init__()
        self.blocks, self.checkpoint = nn.ModuleList(Eager() for _ in range(2)), checkpoint

    def forward(self, x):
        for block in self.blocks:
            x = x + (block(x) if self.checkpoint is None else self.checkpoint(block, x))
        return x


def test_recomputation_with_ours_and_with_torchs_draws_the_same():
    model, x, found = Blocks(), torch.randn(4, 6, WIDTH), []
    noise.take_over(model)
    for checkpoint in (None, mainstem.checkpoint, plain(False)):
        model.checkpoint = checkpoint
        model.zero_grad()
        run(model, x).square().sum().backward()
        found.append([p.grad.clone() for p in model.parameters()])
    for one, *others in zip(*found, strict=True):
        for other in others:
            torch.testing.assert_close(one, other)


def plain(use_reentrant):
    return lambda block, x: plain_checkpoint(block, x, use_reentrant=use_reentrant)


class Checkpointed(nn.Module):
    """A layer of which a part of the forward is computed again, behind its hooks, as transformers has it."""

    def __init__(self, checkpoint):
        super().__init__()
        self.linear, self.drop, self.checkpoint = nn.Linear(WIDTH, WIDTH), nn.Dropout(0.3), checkpoint

    def forward(self, x):
        x = F.dropout(x, 0.3, self.training)
        return x + F.dropout(self.checkpoint(self.body, x), 0.3, self.training)

    def body(self, x):
        y = F.dropout(self.drop(self.linear(x)).relu(), 0.3, self.training)
        y = y + self.checkpoint(self.inner, y)
        return F.dropout(y, 0.3, self.training).square()

    def inner(self, x):
        return F.dropout(self.linear(x).tanh(), 0.3, self.training).square()


@pytest.mark.parametrize("twice", [False, True])
def test_functions_that_checkpoint_computes_again_behind_the_hooks_of_their_module_draw_the_same(twice):
    x, found = torch.randn(4, 6, WIDTH), []
    for way in (lambda function, x: function(x), plain(False)):
        torch.manual_seed(0)
        model = nn.Sequential(Checkpointed(way), Checkpointed(way))
        noise.take_over(model)
        before = torch.get_rng_state()
        y = run(model, x)
        loss = y.square().sum()
        loss.backward(retain_graph=twice)
        if twice:
            loss.backward()
        found.append([y, *(p.grad for p in model.parameters())])
        assert torch.get_rng_state().equal(before)
        torch.testing.assert_close(run(model, x[1:3], [1, 2]), y[1:3], rtol=1e-5, atol=1e-5)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_recomputation_that_keeps_no_record_of_its_forward_is_refused():
    model, x = Blocks(plain(True)), torch.randn(4, 6, WIDTH, requires_grad=True)
    noise.take_over(model)
    with pytest.raises(RuntimeError, match=r"'blocks\.1' is recomputed.*use_reentrant=False"):
        run(model, x).sum().backward()
