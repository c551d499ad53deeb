"""A write to the streams and the read behind it in one pass: for whom it is, and that nothing else changes."""

import pytest
import torch
from variants import NOISY, loss, shaken, small, tokens

from mainstem import ops

LAYERS = 3
weights = pytest.mark.parametrize("weights", ["dynamic", "static"])


def built(weights, streams=3, **changes):
    return shaken(small({"name": "hyper", "streams": streams, "weights": weights}, layers=LAYERS, **changes))


@pytest.fixture
def passes(monkeypatch):
    """Return, in order, whether each pass over the streams wrote and whether it read."""
    seen, step, write = [], ops.step_streams, ops.mix_streams
    monkeypatch.setattr(
        ops, "step_streams", lambda h, **given: seen.append(("weights" in given, True)) or step(h, **given)
    )
    monkeypatch.setattr(ops, "mix_streams", lambda *given: seen.append((True, False)) or write(*given))
    return seen


def outcome(model, **scope):
    model.zero_grad()
    value = loss(model, tokens(4, 8), **scope)
    value.backward()
    return value.detach(), {name: p.grad.clone() for name, p in model.named_parameters()}


def alike(found, expected):
    torch.testing.assert_close(found[0], expected[0], rtol=1e-6, atol=1e-7)
    for name, grad in found[1].items():
        torch.testing.assert_close(grad, expected[1][name], rtol=1e-4, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")


@weights
def test_all_but_the_first_read_and_the_last_write_go_together(weights, passes):
    outcome(built(weights, rates=NOISY))
    assert passes == [(False, True), *[(True, True)] * (2 * LAYERS - 1), (True, False)]


@weights
def test_recomputed_activations_are_fused_inside_each_block(weights, passes):
    model = built(weights, rates=NOISY)
    expected = outcome(model)
    passes.clear()
    model.set_checkpoint(True)
    alike(outcome(model), expected)
    assert passes[: 3 * LAYERS] == [(False, True), (True, True), (True, False)] * LAYERS


@weights
def test_a_hooked_residual_gets_a_state_that_nothing_was_read_of(weights, passes):
    model, seen = built(weights), []
    expected = outcome(model)
    passes.clear()
    watched = next(iter(model.blocks[1].children()))
    handle = watched.register_forward_hook(lambda *given: seen.append(given[2].main.shape))
    alike(outcome(model), expected)
    assert len(seen) == 1 and passes.count((True, True)) == 2 * LAYERS - 3
    handle.remove()


def test_weights_of_another_norm_are_read_by_themselves(passes):
    model = built("dynamic", norm="layer")
    outcome(model)
    assert passes == [(True, False)] * (2 * LAYERS)


def test_values_sent_along_the_stream_are_kept():
    model = shaken(small([{"name": "hyper", "streams": 3}, "value_residual"], layers=LAYERS))
    value, grads = outcome(model)
    assert value.isfinite() and all(grad.isfinite().all() for grad in grads.values())
