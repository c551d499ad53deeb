"""The write of a sublayer and the norm behind it as one call: for whom it is, and that nothing else changes."""

import copy

import pytest
import torch
from arrays import needs_kernels
from variants import RESIDUALS, loss, shaken, small, tokens

from mainstem import ops
from mainstem.model import Rates
from mainstem.noise.site import Noise
from mainstem.stream import fused

# No rate of stochastic depth: a branch that may be skipped is computed apart.
QUIET_DEPTH = Rates(embedding=0.1, attention_weights=0.2, attention=0.1, hidden=0.2, feedforward=0.1)
LAYERS = 3
ALL = 2 * LAYERS
JOINED = {"pre_norm": ALL, "sandwich": ALL, "value_residual": ALL, "post_norm": ALL, "deepnorm": ALL,
          "parallel": 1, "reinjection": 1, "sandwich | reinjection": 1, "denseformer": LAYERS}  # fmt: skip
"""How many calls one forward has: 1 is the closing norm, LAYERS the writes of attention; elsewhere there are none."""

pytestmark = [needs_kernels, pytest.mark.parametrize("name", RESIDUALS)]


def counted(monkeypatch):
    calls, original = [], ops.dropout_add_norm

    def count(*args, **kwargs):
        calls.append(kwargs["norm"])
        return original(*args, **kwargs)

    monkeypatch.setattr(ops, "dropout_add_norm", count)
    return calls


def outcome(model, **scope):
    model.zero_grad()
    value = loss(model, tokens(4, 8), **scope)
    value.backward()
    return value.detach(), {key: p.grad.clone() for key, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("norm", ["rms", "layer"])
@pytest.mark.parametrize("recompute", [False, True])
def test_together_and_apart_give_the_same(name, norm, recompute, monkeypatch):
    model = shaken(small(RESIDUALS[name], rates=QUIET_DEPTH, norm=norm, layers=LAYERS))
    model.set_checkpoint(recompute)
    names, calls = list(model.state_dict()), counted(monkeypatch)
    found, grads = outcome(model)
    if not recompute:
        assert len(calls) == JOINED.get(name, 0)
    monkeypatch.setattr(fused, "allowed", lambda: False)
    count = len(calls)
    expected, plain = outcome(model)
    assert len(calls) == count and list(model.state_dict()) == names
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert grads.keys() == plain.keys()
    for key, grad in grads.items():
        torch.testing.assert_close(grad, plain[key], rtol=1e-3, atol=1e-5, msg=lambda m, k=key: f"{k}: {m}")


def test_the_sites_that_draw_are_those_of_the_parts(name, monkeypatch):
    model = shaken(small(RESIDUALS[name], rates=QUIET_DEPTH, layers=LAYERS))
    drawn, original = [], Noise.draw

    def draw(self, num_samples):
        found = original(self, num_samples)
        drawn.append(found[1])
        return found

    monkeypatch.setattr(Noise, "draw", draw)
    loss(model, tokens(4, 8))
    together = list(drawn)
    drawn.clear()
    monkeypatch.setattr(fused, "allowed", lambda: False)
    loss(model, tokens(4, 8))
    assert together == drawn and together


def test_whoever_watches_a_module_sees_it_called(name, monkeypatch):
    model = shaken(small(RESIDUALS[name], rates=QUIET_DEPTH, layers=LAYERS))
    expected, _ = outcome(model)
    calls, seen = counted(monkeypatch), []
    for module in model.modules():
        if "Norm" in type(module).__name__ or type(module).__name__ in ("Branch", "Dropout"):
            module.register_forward_hook(lambda module, *_: seen.append(module))
    found, _ = outcome(model)
    assert not calls
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    watched = [m for key, m in model.named_modules() if key.endswith(("branch", "branch.norm", "branch.dropout"))]
    assert {id(m) for m in watched} <= {id(m) for m in seen}


def test_evaluation_gives_the_same_together_and_apart(name, monkeypatch):
    model = shaken(small(RESIDUALS[name], rates=QUIET_DEPTH, layers=LAYERS)).eval()
    twin = copy.deepcopy(model)
    found = model(tokens(2, 8))
    monkeypatch.setattr(fused, "allowed", lambda: False)
    torch.testing.assert_close(found, twin(tokens(2, 8)), rtol=1e-4, atol=1e-5)


def test_a_branch_that_may_be_skipped_stays_apart(name, monkeypatch):
    model = shaken(small(RESIDUALS[name], rates=Rates(depth=0.3), layers=LAYERS))
    calls = counted(monkeypatch)
    loss(model, tokens(4, 8))
    skipped = [module.skip for module in model.modules() if getattr(module, "skip", None) is not None]
    assert skipped and len(calls) <= 2 * LAYERS - len(skipped)
