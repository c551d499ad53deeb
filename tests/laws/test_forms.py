"""What must hold for every residual form, whatever its formula."""

import contextlib
import copy
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from variants import NOISY, RESIDUALS, SIZES, loss, shaken, small, tokens

import mainstem
from mainstem import Stack, noise
from mainstem.errors import BadInput
from mainstem.form import parse
from mainstem.model import Rates
from mainstem.nn import Cache

pytestmark = pytest.mark.parametrize("name", RESIDUALS)


OWN_KERNELS = ("pre_norm", "hyper", "denseformer", "reversible")
"""A form for each kernel or backward of our own, which `aot_eager` traces; of all others it traces what torch has."""

BEHIND = Rates(feedforward=0.1, depth=0.3)
"""Noise behind the feed-forward sublayers, and around each but the first."""


class SelfAttention(nn.Linear):
    """A layer that a form takes for attention, by its name."""


def gradients(model):
    return {key: p.grad.clone() for key, p in model.named_parameters() if p.grad is not None}


def test_gradients_equal_finite_differences(name):
    model = shaken(small(RESIDUALS[name], layers=2, feedforward="gelu", rates=NOISY)).double()
    x = tokens()
    generator = torch.Generator().manual_seed(9)
    direction = {k: torch.randn(p.shape, generator=generator, dtype=p.dtype) for k, p in model.named_parameters()}

    def along(distance):
        moved = copy.deepcopy(model)
        with torch.no_grad():
            for key, parameter in moved.named_parameters():
                parameter += distance * direction[key]
            return total(moved)

    def total(m):
        # The model's logits are float32; the law needs all digits, so it reads the closed stream. In this step pre-norm
        # leaves sublayers out for none, one and both of the samples.
        with noise.counter(seed=3, step=3, samples=range(len(x))):
            closed = m.features(x)
        return torch.tanh(closed).sum()

    total(model).backward()
    slope = sum((p.grad * direction[k]).sum() for k, p in model.named_parameters() if p.grad is not None)
    step = 1e-6
    measured = (along(step) - along(-step)) / (2 * step)
    torch.testing.assert_close(slope, measured, rtol=1e-5, atol=1e-5)


def test_any_batch_and_length(name):
    model = small(RESIDUALS[name], rates=NOISY)
    for batch, length in ((1, 1), (1, 7), (3, 1), (5, 8)):
        model.zero_grad()
        value = loss(model, tokens(batch, length))
        value.backward()
        assert torch.isfinite(value), (batch, length)
        assert all(torch.isfinite(grad).all() for grad in gradients(model).values()), (batch, length)


def test_no_position_sees_a_later_one(name):
    model = shaken(small(RESIDUALS[name])).eval()
    x = tokens(1, 8)
    changed = x.clone()
    changed[0, 5] = (changed[0, 5] + 1) % 13
    before, after = model(x), model(changed)
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


def test_evaluation_has_no_noise(name):
    quiet, noisy = small(RESIDUALS[name]).eval(), small(RESIDUALS[name], rates=NOISY).eval()
    x = tokens()
    assert torch.equal(quiet(x), noisy(x))
    assert torch.equal(noisy(x), noisy(x))


def test_masks_do_not_depend_on_the_split_of_the_batch(name):
    model = shaken(small(RESIDUALS[name], rates=NOISY)).double()
    x = tokens(6, 8)
    whole = loss(model, x)
    parts = [loss(model, x[at : at + 2], samples=range(at, at + 2)) for at in (0, 2, 4)]
    torch.testing.assert_close(whole, sum(parts) / 3, rtol=1e-6, atol=1e-6)
    assert not torch.allclose(whole, loss(model, x, step=5))


def test_recomputed_blocks_have_the_same_masks_and_gradients(name):
    model = shaken(small(RESIDUALS[name], rates=NOISY))
    x = tokens(4, 8)
    stored = loss(model, x)
    stored.backward()
    expected = gradients(model)
    model.zero_grad()
    model.set_checkpoint(True)
    recomputed = loss(model, x)
    recomputed.backward()
    assert torch.equal(stored, recomputed)
    for key, grad in gradients(model).items():
        torch.testing.assert_close(grad, expected[key], msg=lambda m, k=key: f"{k}: {m}")


def test_state_dict_goes_round(name):
    model, other = shaken(small(RESIDUALS[name])).eval(), small(RESIDUALS[name], seed=1).eval()
    other.load_state_dict(model.state_dict())
    assert torch.equal(model(tokens()), other(tokens()))


def test_deep_copy_is_equal_and_apart(name):
    model = small(RESIDUALS[name], rates=NOISY)
    twin = copy.deepcopy(model)
    assert torch.equal(loss(model, tokens()), loss(twin, tokens()))
    held, other = ([*each.parameters(), *each.buffers()] for each in (model, twin))
    assert len(held) == len(other) and not {t.data_ptr() for t in held if t.numel()} & {t.data_ptr() for t in other}
    assert not {*model.modules()} & {*twin.modules()}
    assert "Residual" in repr(twin)


def test_rebuilt_from_its_configuration(name):
    model = small(RESIDUALS[name], rates=NOISY)
    twin = type(model).from_config(model.config(), seed=0)
    assert torch.equal(loss(model, tokens()), loss(twin, tokens()))


@pytest.mark.parametrize("how", ["autocast", "cast"])
def test_bfloat16_is_near_float32(name, how):
    model = small(RESIDUALS[name]).eval()
    x = tokens(2, 8)
    exact = model(x)
    if how == "autocast":
        with torch.autocast("cpu", dtype=torch.bfloat16):
            near = model(x)
            torch.nn.functional.cross_entropy(near.flatten(0, 1), x.flatten()).backward()
    else:
        near = copy.deepcopy(model).bfloat16()(x)
    assert near.dtype == torch.float32
    torch.testing.assert_close(near, exact, rtol=0.1, atol=0.1 * float(exact.detach().abs().max()))


def test_cached_generation_equals_the_whole_pass(name):
    model = shaken(small(RESIDUALS[name])).eval()
    x = tokens(1, 8)
    whole = model(x)
    cache = Cache()
    parts = [model(x[:, :3], cache=cache), *(model(x[:, t : t + 1], cache=cache) for t in range(3, 8))]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-4, atol=1e-5)


def lines(model, x):
    """Return the lines of forms, layers and ops that a forward and a backward of `model` run."""
    found, folders = set(), tuple(str(Path(mainstem.__file__).parent / folder) for folder in ("form", "nn", "ops"))

    def look(frame, event, _):
        if not frame.f_code.co_filename.startswith(folders):
            return None
        found.add((frame.f_code.co_filename, frame.f_lineno))
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        with noise.counter(seed=3, step=4, samples=range(len(x))):
            model(x).sum().backward()
    finally:
        sys.settrace(before)
    return found


def traced(name):
    """Return what a compiler is to make whole of a form, with noise, and what it is called with.

    Tracing takes longest inside of sublayers and of what draws masks. A form that does not change what is in a sublayer
    is traced around the smallest ones there are; sublayers, embedding, head and the noise of each stand in the whole
    models of `OWN_KERNELS`.
    """
    form, width, own = parse(RESIDUALS[name]), SIZES["width"], name in OWN_KERNELS
    kinds = [nn.Linear] if len(form.groups(("attention", "feedforward"))) == 2 else [SelfAttention, nn.Linear]

    def made(blocks):
        layers = [[kind(width, width) for kind in kinds] for _ in range(blocks)]
        with contextlib.suppress(BadInput):
            if not own:
                return shaken(Stack(form, layers, width, noises=BEHIND.noises())), torch.randn(4, 8, width)
        whole = small(RESIDUALS[name], layers=blocks, rates=NOISY if own else BEHIND)
        return shaken(whole), tokens(4, 8)

    # A second block takes half of the time, and is traced where it runs lines that the first does not.
    one, two = made(1), made(2)
    of_one = lines(*one)
    return one if lines(*two) <= of_one else two


def test_compiles_whole_with_the_same_masks(name):
    torch._dynamo.reset()
    model, x = traced(name)
    compiled = torch.compile(model, backend="aot_eager" if name in OWN_KERNELS else "eager", fullgraph=True)
    for step in (4, 5):
        results = []
        for each in (model, compiled):
            model.zero_grad()
            with noise.counter(seed=3, step=step, samples=range(len(x))):
                closed = each(x)
            value = nn.functional.cross_entropy(closed.flatten(0, 1), torch.arange(32) % closed.shape[-1])
            value.backward()
            results.append((value, gradients(model)))
        (expected, grads), (found, of_compiled) = results
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
        for key, grad in of_compiled.items():
            torch.testing.assert_close(grad, grads[key], rtol=1e-4, atol=1e-5, msg=lambda m, k=key: f"{k}: {m}")


def test_documents_do_not_see_each_other(name):
    model = shaken(small(RESIDUALS[name])).eval()
    x = tokens(1, 8)
    documents = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1]])
    packed = model(x, documents)
    alone = model(x[:, 3:])
    torch.testing.assert_close(packed[:, 3:], alone, rtol=1e-4, atol=1e-5)
