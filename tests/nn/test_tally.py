"""Activations that a loss penalises, for the samples that compute them, however the model is run."""

import pytest
import torch
from variants import shaken, small, tokens

from mainstem import noise
from mainstem.execute import plain, reversible
from mainstem.model import Rates
from mainstem.nn import Context
from mainstem.stream import leaves

TERMS = {"hidden_l1": 0.7, "hidden_l2": 0.3}
STREAM = {"stream_l1": 0.7, "stream_l2": 0.3}


def value(model, x, terms=TERMS, **given):
    with noise.counter(seed=3, step=4, samples=range(len(x))):
        return model(x, targets_BT=x.roll(-1, 1), **terms, **given)


def gradients(model, x, terms=TERMS):
    model.zero_grad()
    value(model, x, terms).backward()
    return {name: p.grad.clone() for name, p in model.named_parameters()}


def noisy(form="pre_norm", rate=0.5):
    return shaken(small(form, rates=Rates(depth=rate, hidden=0.2))).double()


def test_a_sample_that_leaves_a_sublayer_out_has_no_hidden_units_there():
    model, x, found, rows = noisy(), tokens(6, 8), [], []
    for block in model.blocks:
        layer = block.feedforward.branch.feedforward.output
        layer.register_forward_pre_hook(lambda _, given: found.append(given[0]))
    plain, both = value(model, x, {}), value(model, x, reduction="none")
    rows = [len(h) for h in found[:3]]
    assert min(rows) < 6
    expected = sum(0.7 * h.abs().mean(-1).sum() + 0.3 * h.square().mean(-1).sum() for h in found[:3]) / 3
    torch.testing.assert_close(both.sum() - plain, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("form", ["pre_norm", "reversible"])
def test_it_is_the_same_recomputed_and_compiled(form):
    model, x = noisy(form), tokens(6, 8)
    stored = gradients(model, x)
    compiled = torch.compile(model, backend="eager")
    torch.testing.assert_close(value(compiled, x), value(model, x), rtol=1e-10, atol=1e-10)
    model.set_checkpoint(True)
    for name, grad in gradients(model, x).items():
        torch.testing.assert_close(grad, stored[name], rtol=1e-9, atol=1e-12, msg=lambda m, n=name: f"{n}: {m}")


def test_samples_have_numbers_of_their_own_where_all_sublayers_are_left_out():
    model, x = small("pre_norm", also=[noise.Branches(1.0)]).double(), tokens(4, 8)
    torch.testing.assert_close(value(model, x), value(model, x, {}), rtol=0, atol=0)


def test_in_float32_it_is_what_it_is_in_float64():
    model, x = shaken(small("pre_norm", rates=Rates(hidden=0.2))), tokens(4, 8)
    found = value(model, x)
    torch.testing.assert_close(found.double(), value(model.double(), x), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("form", ["pre_norm", "post_norm", "rezero", "hyper", "reversible", "weighted_history", "elc"])
def test_the_stream_is_all_that_a_form_keeps_behind_the_last_block(form):
    model, x = shaken(small(form)).double(), tokens(3, 8)
    state = plain.through(model.blocks, model.stream.open(model.embedding(x)), Context())
    kept_BTN = torch.cat([each.flatten(2) for each in leaves(state.main)], 2)
    expected = 0.7 * kept_BTN.abs().mean(2) + 0.3 * kept_BTN.square().mean(2)
    found = value(model, x, STREAM, reduction="none") - value(model, x, {}, reduction="none")
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("form", ["pre_norm", "reversible", "hyper"])
def test_a_stream_that_is_not_stored_has_the_same_gradient(form, monkeypatch):
    model, x, calls = noisy(form), tokens(6, 8), []
    through = reversible.through
    monkeypatch.setattr(reversible, "through", lambda *given: calls.append(1) or through(*given))
    undone = gradients(model, x, STREAM)
    assert len(calls) == (form == "reversible")
    monkeypatch.setattr(reversible, "possible", lambda *_: False)
    stored = gradients(model, x, STREAM)
    model.set_checkpoint(True)
    for found in (undone, gradients(model, x, STREAM)):
        for name, grad in found.items():
            torch.testing.assert_close(grad, stored[name], rtol=1e-8, atol=1e-10, msg=lambda m, n=name: f"{n}: {m}")
