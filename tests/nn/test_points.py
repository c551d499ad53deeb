"""Every named point is where it says: a module there changes what the formula says, computed here step by step."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn
from variants import small, tokens

from mainstem import noise
from mainstem.errors import BadInput
from mainstem.model import Rates
from mainstem.nn import Attention, AttentionSpec, Embedding, FeedForward, FeedForwardSpec, NGrams
from mainstem.noise import Bernoulli


def pattern(x):
    """Return factors that differ by place, so that a change at another place, or none, is seen."""
    return torch.linspace(0.3, 1.9, x[0].numel(), dtype=x.dtype).view(x.shape[1:])


@dataclass(frozen=True)
class Change:
    def build(self, spec=None):
        return Changed()


class Changed(nn.Module):
    def forward(self, x):
        return x * pattern(x)


def changed_at(point):
    return lambda here, x: x * pattern(x) if here == point else x


def attend(layer, x, at):
    """Return attention by its formula, with ``at(point, x)`` at each point; keys and values have fewer heads."""

    def heads(linear, point=""):
        return linear(at(point, x)).unflatten(2, (-1, layer.head_width)).transpose(1, 2)

    query = at("query", layer.rotary(layer.query_norm(heads(layer.query)), None))
    key = at("key", layer.rotary(layer.key_norm(heads(layer.key, "key_input")), None))
    value = at("value", heads(layer.value, "value_input"))
    times, length = query.shape[1] // key.shape[1], x.shape[1]
    key, value = key.repeat_interleave(times, 1), value.repeat_interleave(times, 1)
    logits = at("logits", query @ key.mT * layer.head_width**-0.5)
    hidden = torch.ones(length, length).triu(1).bool()
    weights = at("weights", logits.masked_fill(hidden, float("-inf")).softmax(-1))
    return at("out", layer.output(at("heads", weights @ value).transpose(1, 2).flatten(2)))


@pytest.mark.parametrize("point", [None, *AttentionSpec.points])
def test_points_of_attention(point):
    spec = AttentionSpec(24, 4, kv_heads=2, context=16)
    torch.manual_seed(0)
    layer, x = (
        Attention(spec if point is None else spec.having(point, Change())).double(),
        torch.randn(2, 7, 24).double(),
    )
    torch.testing.assert_close(layer(x), attend(layer, x, changed_at(point)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("activation", ["relu2", "swiglu", "gelu"])
@pytest.mark.parametrize("point", [None, *FeedForwardSpec.points])
def test_points_of_the_feed_forward(point, activation):
    spec = FeedForwardSpec(6, 10, activation)
    torch.manual_seed(0)
    layer, x = FeedForward(spec if point is None else spec.having(point, Change())), torch.randn(2, 7, 6)
    at, h = changed_at(point), layer.input(x)
    z = at("preactivation", layer.gate(x) if activation == "swiglu" else h)
    phi = {"relu2": lambda: z.relu() ** 2, "swiglu": lambda: nn.functional.silu(z) * h,
           "gelu": lambda: nn.functional.gelu(z)}  # fmt: skip
    torch.testing.assert_close(layer(x), at("out", layer.output(at("hidden", phi[activation]()))))


@pytest.mark.parametrize("point", [None, "tokens", "out"])
def test_points_of_the_embedding(point):
    torch.manual_seed(0)
    parts = {} if point is None else {point: [Change()]}
    layer, x = Embedding(13, 6, 8, NGrams(13, 6, 2, 50), parts), tokens(2, 5)
    at = changed_at(point)
    expected = at("out", at("tokens", layer.weight[x]) + layer.ngrams(x) + layer.position[:5])
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("form", ["pre_norm", "layer_scale", "parallel"])
@pytest.mark.parametrize("point", ["attention.branch", "feedforward.branch", "branch"])
@pytest.mark.parametrize("over", [None, "B", "D"])
def test_a_branch_that_is_dropped_for_all_adds_nothing(point, form, over):
    x = tokens(3, 8)
    made, plain = (small(form, layers=2, init="normal", also=also) for also in ([Bernoulli(1.0, point, over)], ()))
    for module in plain.modules():
        kind = {Attention: "attention", FeedForward: "feedforward"}.get(type(module))
        if kind and point in ("branch", f"{kind}.branch"):
            module.output.weight.data.zero_()
    with noise.counter(seed=0, step=0, samples=range(3)):
        found = made(x)
    torch.testing.assert_close(found, plain(x), rtol=1e-5, atol=1e-6)
    assert not torch.allclose(made.eval()(x), found, rtol=1e-3)


@pytest.mark.parametrize("point", noise.POINTS)
def test_a_noise_stands_at_its_point_in_every_block_and_nowhere_else(point):
    made = small("pre_norm", layers=2, also=[Bernoulli(0.1, point)])
    sites = [name for name, module in made.named_modules() if isinstance(module, noise.Noise)]
    place, _, inner = point.rpartition(".")
    stems = {"attention.weights": "dropout", "feedforward.hidden": "dropout", "embedding.out": "dropout"}
    name = stems.get(point, f"{inner}_dropout")
    if place == "embedding":
        assert sites == [f"embedding.{name}"]
    elif inner == "branch":
        kinds = [place] if place else ["attention", "feedforward"]
        assert sites == [f"blocks.{block}.{kind}.branch.dropout" for block in (0, 1) for kind in kinds]
    else:
        assert sites == [f"blocks.{block}.{place}.branch.{place}.{name}" for block in (0, 1)]


def test_two_at_a_point_run_in_order_and_have_names_of_their_own():
    spec = FeedForwardSpec(6, 10).having("hidden", Change(), Bernoulli(0.1, "feedforward.hidden"), Change())
    layer = FeedForward(spec)
    assert [name for name, _ in layer.named_children()][2:] == ["hidden_changed", "hidden_dropout", "hidden_changed_2"]
    assert layer.dropout is None
    both = small("pre_norm", rates=Rates(hidden=0.1), also=[Bernoulli(0.1, "feedforward.hidden")])
    names = [name for name, module in both.blocks[0].named_modules() if isinstance(module, noise.Noise)]
    assert [name.rpartition(".")[2] for name in names] == ["dropout", "hidden_dropout"]


def test_a_point_that_a_sublayer_does_not_have_is_refused():
    with pytest.raises(BadInput, match=r"FeedForwardSpec has no point 'heads'.*hidden, out"):
        FeedForwardSpec(6, 10).having("heads", Change())


@pytest.mark.parametrize("point", AttentionSpec.points)
def test_a_hook_on_noise_that_drops_nothing_is_obeyed(point):
    """A quiet module is passed over by the fused sublayer only while nobody hooks it."""
    torch.manual_seed(0)
    spec = AttentionSpec(24, 4, context=16).having(point, Bernoulli(0.5, f"attention.{point}"))
    layer, x = Attention(spec).eval(), torch.randn(2, 7, 24)
    before = layer(x)
    (module,) = [part for part in layer.modules() if isinstance(part, noise.Noise)]
    module.register_forward_hook(lambda _, __, y: y * pattern(y))
    assert not torch.allclose(layer(x), before)
