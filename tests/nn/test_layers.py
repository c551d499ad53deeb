"""Norms, attention and feed-forward against closed forms and torch's own layers."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mainstem import noise
from mainstem.errors import BadInput
from mainstem.nn import (
    Attention,
    AttentionSpec,
    Embedding,
    FeedForward,
    FeedForwardSpec,
    LayerNorm,
    NormSpec,
    RMSNorm,
    Rotary,
)

HALF = noise.Bernoulli(0.5, "attention.weights")


def test_layer_norm_has_the_biased_variance():
    y = LayerNorm(4)(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    torch.testing.assert_close(y, torch.tensor([-1.34163542, -0.44721181, 0.44721181, 1.34163542]))


def test_rms_norm_known_answer():
    y = RMSNorm(4)(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    torch.testing.assert_close(y, torch.tensor([0.36514835, 0.73029669, 1.09544504, 1.46059339]))


@pytest.mark.parametrize("norm", [LayerNorm, RMSNorm])
def test_norm_gradients_equal_finite_differences(norm):
    module = norm(6).double()
    x = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *_: module(x), (x, *module.parameters()))


def test_layer_norm_does_not_see_scale_and_shift():
    x = torch.randn(5, 8, dtype=torch.float64)
    norm = NormSpec(LayerNorm, eps=0.0).build(8).double()
    torch.testing.assert_close(norm(3 * x + 7), norm(x))


def test_attention_equals_torchs_own():
    ours = Attention(AttentionSpec(8, 2, rotary_base=None, qk_norm=None)).double()
    theirs = nn.MultiheadAttention(8, 2, bias=False, batch_first=True).double()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        theirs.out_proj.weight.copy_(ours.output.weight)
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    mask = torch.ones(5, 5, dtype=torch.bool).triu(1)
    torch.testing.assert_close(ours(x), theirs(x, x, x, attn_mask=mask, need_weights=False)[0])


def test_query_key_norm_bounds_the_logits():
    module = Attention(8, 2)
    x = 1000 * torch.randn(2, 5, 8)
    query = module.query_norm(module._heads(module.query(x)))
    key = module.key_norm(module._heads(module.key(x)))
    assert (query @ key.transpose(2, 3) / 2).abs().max() <= 2 * (1 + 1e-5)


def test_rotary_products_depend_on_the_distance_alone():
    rotary = Rotary(8, context=4)
    q, k = torch.randn(1, 1, 1, 8, dtype=torch.float64), torch.randn(1, 1, 1, 8, dtype=torch.float64)

    def product(at, to):
        turned = rotary(q, torch.tensor([at])), rotary(k, torch.tensor([to]))
        return (turned[0] * turned[1]).sum()

    torch.testing.assert_close(product(9, 7), product(102, 100), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(product(9, 7), product(9, 6))


def test_attention_dropout_zeroes_weights_and_scales_the_rest():
    module = noise.bind(Attention(AttentionSpec(8, 2, rotary_base=None, context=8).having("weights", HALF)))
    x = torch.randn(1, 4, 8)
    with noise.counter(seed=0, step=0, samples=[0]):
        noisy = module(x)
    assert not torch.allclose(noisy, module.eval()(x))
    mean = torch.zeros_like(noisy)
    module.train()
    for step in range(400):
        with noise.counter(seed=0, step=step, samples=[0]):
            mean += module(x).detach() / 400
    torch.testing.assert_close(mean, module.eval()(x).detach(), rtol=0, atol=0.15)


def test_padding_changes_no_mask():
    module = noise.bind(Attention(AttentionSpec(8, 2, context=16).having("weights", HALF)))
    x = torch.randn(2, 9, 8)
    with noise.counter(seed=0, step=0, samples=[0, 1]):
        long = module(x)
    with noise.counter(seed=0, step=0, samples=[0, 1]):
        torch.testing.assert_close(long[:, :5], module(x[:, :5]))


def test_noisy_attention_at_a_vanishing_rate_equals_the_fused_one():
    spec = AttentionSpec(16, 4, kv_heads=2, context=8).having("weights", HALF)
    module = noise.bind(Attention(spec))
    module.dropout.set_rate(0.0)
    x = torch.randn(2, 6, 16)
    with noise.counter(seed=0, step=0, samples=[0, 1]):
        noisy = module(x)
    torch.testing.assert_close(noisy, module.eval()(x))


@pytest.mark.parametrize(
    ("activation", "expected"),
    [("gelu", lambda m, x: F.gelu(m.input(x))), ("relu2", lambda m, x: F.relu(m.input(x)) ** 2),
     ("swiglu", lambda m, x: F.silu(m.gate(x)) * m.input(x))],
)  # fmt: skip
def test_feedforward(activation, expected):
    module = FeedForward(FeedForwardSpec(8, 24, activation))
    x = torch.randn(2, 3, 8)
    torch.testing.assert_close(module(x), module.output(expected(module, x)))


@pytest.mark.parametrize("watched", [False, True], ids=["in one", "by parts"])
@pytest.mark.parametrize("activation", ["gelu", "relu2", "swiglu"])
def test_nothing_is_dropped_in_evaluation(activation, watched):
    torch.manual_seed(0)
    spec = FeedForwardSpec(128, 512, activation)
    noisy = FeedForward(spec.having("hidden", noise.Bernoulli(0.5, "feedforward.hidden")))
    plain = FeedForward(spec)
    plain.load_state_dict(noisy.state_dict())
    if watched:
        noisy.input.register_forward_hook(lambda *_: None)
    x = torch.randn(4, 32, 128)
    torch.testing.assert_close(noisy.eval()(x), plain(x), rtol=1e-5, atol=1e-5)


def test_a_layers_own_numbers_are_its_weights_alone():
    assert not noise.Dropout(0.1).state_dict() and not Rotary(8).state_dict()
    assert {name: tuple(w.shape) for name, w in FeedForward(8).state_dict().items()} == {
        "input.weight": (32, 8),
        "output.weight": (8, 32),
    }


def test_a_tied_head_never_sees_the_mask():
    embedding = noise.bind(Embedding(10, 8, parts={"out": [noise.Bernoulli(0.5, "embedding.out")]}))
    with noise.counter(seed=0, step=0, samples=[0]):
        x = embedding(torch.tensor([[1, 2]]))
    assert (x == 0).any()
    assert not (embedding.weight == 0).any()


@pytest.mark.parametrize(("width", "heads", "kv_heads"), [(8, 3, None), (8, 4, 3), (6, 2, None)])
def test_heads_that_do_not_fit_are_refused(width, heads, kv_heads):
    with pytest.raises(BadInput, match=str(width // heads if width == 6 else heads)):
        Attention(AttentionSpec(width, heads, kv_heads=kv_heads))
