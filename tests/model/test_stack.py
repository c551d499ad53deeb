"""Layers of somebody's under a form: what a language model of that form computes of the same layers, or a sentence."""

import pytest
import torch
from torch import nn
from variants import shaken, small

from mainstem import Residual, Stack, blocks, catalogue, execute, form, noise, optim
from mainstem.errors import BadInput
from mainstem.nn import Attention, FeedForward

NAMES = catalogue.names("residual")
INSIDE = {"value_residual", "sub_ln", "hybrid_norm", "lime", "embedding_values", "fixup", "mudd"}
"""Forms that change what a sublayer does inside."""


def layers_of(model):
    """Return the sublayers of a model by block."""
    found = []
    for block in model.blocks:
        found.append([part for part in block.modules() if isinstance(part, (Attention, FeedForward))])
    return found


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_stack_of_a_model_with_the_same_layers_or_refused(name):
    model = shaken(small(name, layers=3), by=0.1).double().eval()  # bdia has noise of its own
    layers, x = layers_of(model), torch.randn(2, 5, 12, dtype=torch.float64)
    if name in INSIDE:
        with pytest.raises(BadInput, match=r"changes what a sublayer does inside"):
            Stack(name, layers, 12)
        return
    stack = Stack(name, layers, 12).double().eval()
    weights = {
        key: value.clone() for key, value in model.state_dict().items() if key in (plain := places(stack)).values()
    }
    stack.load_state_dict({key: weights[plain[key]] for key in stack.state_dict()})
    expected = execute.run(model.stream, model.blocks, x)
    found = stack(x)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert not torch.allclose(found, x)


def places(stack):
    """Return the name in a language model of each entry of a stack's state."""
    return {key: key.replace(".module.", ".") for key in stack.state_dict()}


def linear(width=8):
    return nn.Sequential(nn.Linear(width, 16), nn.GELU(), nn.Linear(16, width))


def test_twelve_forms_train_around_layers_of_torch():
    done = set()
    for name in ("pre_norm", "post_norm", "sandwich", "hyper", "denseformer", "reinjection", "reversible", "rezero",
                 "layer_scale", "parallel", "highway", "peri_ln"):  # fmt: skip
        torch.manual_seed(0)
        model = Stack(name, [[linear(), linear()] for _ in range(3)], 8)
        optimizer = optim.AdamW(optim.groups(model, decay=0.1), lr=0.01)
        x, y, losses = torch.randn(4, 5, 8), torch.randn(4, 5, 8), []
        for _ in range(30):
            loss = (model(x) - y).square().mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        assert losses[-1] < 0.9 * losses[0], name
        done.add(name)
    assert len(done) == 12


def test_hyper_of_six_layers_begins_at_the_sum_that_pre_norm_is():
    torch.manual_seed(0)
    layers, x = [linear() for _ in range(6)], torch.randn(2, 3, 8)
    hyper, plain = Stack("hyper", layers, 8), Stack("pre_norm", layers, 8)
    torch.testing.assert_close(hyper(x), plain(x), rtol=1e-4, atol=1e-5)


def test_noise_at_the_branches_is_by_the_counter():
    rate = noise.Rate(0.5, depth="linear")
    model = Stack("pre_norm", [linear() for _ in range(4)], 8, noises=[noise.Branches(rate), noise.Bernoulli(0.3)])
    x = torch.randn(8, 3, 8)

    def run(rows):
        with noise.counter(seed=0, step=1, samples=rows):
            return model(x[list(rows)])

    whole = run(range(8))
    torch.testing.assert_close(run(range(3, 8)), whole[3:], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(whole, model.eval()(x))


class Named(nn.Module):
    """A feed-forward that says what its matrices are."""

    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)

    def roles(self):
        return {"up.weight": "feedforward.in", "down.weight": "feedforward.out"}

    def forward(self, x):
        return self.down(self.up(x).relu())


def test_deepnorm_scales_initial_weights_that_a_layer_names_and_is_refused_where_none_are():
    layers = [Named() for _ in range(3)]
    before = [(layer.up.weight.clone(), layer.up.bias.clone()) for layer in layers]
    Stack("deepnorm", layers, 8)
    beta = form.deepnorm.constants(3)[1]
    for layer, (weight, bias) in zip(layers, before, strict=True):
        torch.testing.assert_close(layer.up.weight.detach(), beta * weight.detach())
        assert layer.up.bias.equal(bias)
    with pytest.raises(
        BadInput, match=r"scales the initial weights of feedforward\.in.*layer 0\.0, Sequential.*roles\(\)"
    ):
        Stack("deepnorm", [linear()], 8)


def test_a_layer_that_is_shared_is_scaled_once_and_counts_once():
    layer = Named()
    before = layer.up.weight.clone()
    stack = Stack("deepnorm", [layer] * 3, 8)
    torch.testing.assert_close(layer.up.weight.detach(), form.deepnorm.constants(3)[1] * before.detach())
    assert sum(p is layer.up.weight for group in optim.groups(stack) for p in group["params"]) == 1
    stack(torch.randn(2, 3, 8)).sum().backward()
    assert layer.up.weight.grad.abs().sum() > 0


class Returning(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return self.value(x)


def test_the_first_of_several_results_is_the_branch():
    x = torch.randn(2, 3, 8)
    one, two = (Stack("pre_norm", [Returning(value)], 8) for value in (lambda h: 2 * h, lambda h: (2 * h, "cache")))
    assert one(x).equal(two(x))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda h: None, "returned NoneType"),
        (lambda h: h[..., :4], r"returned torch\.float32 \[2, 3, 4\]"),
        (lambda h: h.long(), r"returned torch\.int64 \[2, 3, 8\]"),
        (lambda h: {"x": h}, "returned dict"),
        (lambda h: (), "returned tuple"),
    ],
)
def test_what_cannot_be_added_is_refused_with_the_layers_place(value, said):
    model = Stack("pre_norm", [nn.Identity(), Returning(value)], 8)
    with pytest.raises(BadInput, match=rf"Layer 1\.0, Returning, {said}.*\[2, 3, 8\]"):
        model(torch.randn(2, 3, 8))


class Positional(nn.Module):
    def forward(self, x, memory, /):
        return x + memory


@pytest.mark.parametrize("name", ["hyper", "post_norm", "highway", "resi_dual", "layer_scale"])
@pytest.mark.parametrize(("device", "dtype"), [("cpu", torch.float64), ("meta", torch.bfloat16)])
def test_what_a_form_brings_along_follows_the_layers(name, device, dtype):
    layers = [[linear().to(device, dtype), linear().to(device, dtype)] for _ in range(2)]
    layers[0][0].register_buffer("table", torch.ones(2, dtype=torch.float32, device=device))
    stack = Stack(name, layers, 8)
    assert {(p.device.type, p.dtype) for p in stack.parameters()} == {(device, dtype)}
    assert layers[0][0].table.dtype == torch.float32  # a layer's own stays as it is
    assert stack(torch.randn(2, 3, 8, dtype=dtype, device=device)).dtype == dtype


def test_what_a_stack_cannot_be_made_of_is_refused():
    for layers, said in (
        ([], "was given no layers"),
        ([[]], "was given no layers"),
        ([3], "Layer 0 is of type int"),
        ([[3]], r"Layer 0\.0 is of type int"),
        ([Positional()], r"Layer 0\.0, Positional, cannot be called with x and arguments by name"),
        ([blocks.TransformerEncoderLayer(8, 2, 16)], r"Layer 0\.0, TransformerEncoderLayer, adds its input to its"),
        ([nn.LSTM(8, 8)], r"Layer 0\.0, LSTM, has the sequence along its first axis.*batch_first=True"),
        ([[Residual(linear())]], r"Layer 0\.0, Residual, adds its input.*give what it adds as layers"),
        (
            [[linear(), linear()], [linear()]],
            "Block 1 has the sublayers feedforward and block 0 feedforward, feedforward",
        ),
    ):
        with pytest.raises(BadInput, match=said):
            Stack("pre_norm", layers, 8)
    for given, said in (
        ({"width": "8"}, r"width is '8': give the number"),
        ({"width": 0}, r"width is 0: give the number"),
        ({"norm": nn.LayerNorm(8)}, r"norm is LayerNorm.*NormSpec\(mainstem\.nn\.LayerNorm\)"),
        ({"norm": "layer"}, r"norm is 'layer'"),
        ({"noises": noise.Branches(0.1)}, r"noises is Branches.*give a list of noises as values"),
        ({"noises": [noise.Dropout(0.1)]}, r"noises is \[Dropout"),
    ):
        with pytest.raises(BadInput, match=said):
            Stack("pre_norm", [linear()], **{"width": 8, **given})
    with pytest.raises(BadInput, match="given 1 argument beside x without a name: give them by name"):
        Stack("pre_norm", [Crossing()], 8)(torch.randn(2, 3, 8), torch.randn(2, 4, 8))
    for x in (torch.randn(8), torch.randn(2, 3, 4), torch.ones(2, 3, 8, dtype=torch.int64)):
        with pytest.raises(BadInput, match=r"the stack takes floating point \[B, T, 8\], or \[B, ..., 8\]"):
            Stack("pre_norm", [linear()], 8)(x)


SOME = {"unet_skips", "reinjection"}
"""Forms of which some residuals are plain sums."""

NOT_ALONE = {"hyper", "mhc", "mhc_lite", "identity_mixing", "denseformer", "resi_dual", "weighted_history",
             "elc", "attention_residuals", "delta_attention_residuals", "mudd", *SOME}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_residual_of_a_form_stands_alone_where_it_is_a_sum_and_is_refused_elsewhere(name):
    made = small(name, layers=3)
    refused = []
    for residual in (part for part in made.modules() if isinstance(part, Residual)):
        try:
            y = residual(torch.randn(2, 5, 12))
        except BadInput as error:
            refused.append(str(error))
        except KeyError:
            assert name in INSIDE  # values that another sublayer sends
        else:
            assert y.shape == (2, 5, 12) and name not in NOT_ALONE - SOME
    assert bool(refused) == (name in NOT_ALONE), refused
    assert all("state" in said for said in refused)


OTHER = [name for name in NAMES if name not in INSIDE | {"canon", "deepnorm", "complete_p"}]


@pytest.mark.parametrize("name", OTHER)
def test_other_shapes_are_those_positions_side_by_side(name):
    torch.manual_seed(0)
    layers = [[nn.Linear(8, 8), nn.Linear(8, 8)] for _ in range(3)]
    stack, rows = shaken(Stack(name, layers, 8), by=0.1).eval(), torch.randn(2, 6, 8)
    expected = stack(rows)
    torch.testing.assert_close(stack(rows.reshape(12, 8)), expected.reshape(12, 8), rtol=1e-4, atol=1e-5)
    images = stack(rows.reshape(2, 3, 2, 8))
    torch.testing.assert_close(images, expected.reshape(2, 3, 2, 8), rtol=1e-4, atol=1e-5)


def test_images_with_channels_first_are_seen_so_by_layers():
    torch.manual_seed(0)
    layers = [nn.Conv2d(4, 4, 3, padding=1) for _ in range(3)]
    x = torch.randn(2, 4, 5, 3)
    for name in ("pre_norm", "hyper"):
        stack = Stack(name, layers, 4, axis=1)
        y = x
        for layer in layers:
            mean = y.square().mean(1, keepdim=True)
            y = y + layer(y * (mean + 1e-6).rsqrt())
        y = y * (y.square().mean(1, keepdim=True) + 1e-6).rsqrt()
        torch.testing.assert_close(stack(x), y, rtol=1e-4, atol=1e-5)
    for wrong, said in ((x.movedim(1, 3), r"4 along axis 1"), (x[0, 0], r"4 along axis 1")):
        with pytest.raises(BadInput, match=said):
            stack(wrong)
    with pytest.raises(BadInput, match="axis 0 is that of the samples"):
        Stack("pre_norm", layers, 4, axis=0)
    with pytest.raises(BadInput, match=r"Canon\(count=4\) mixes positions, and x is of shape \[2, 4, 5, 3\]"):
        Stack("canon", layers, 4, axis=1)(x)


class Crossing(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        return self.inner(x, memory, memory, key_padding_mask=mask)


@pytest.mark.parametrize("name", ["pre_norm", "reversible"])
def test_arguments_reach_the_layers_that_take_them_with_their_gradients(name):
    torch.manual_seed(0)
    layers = [[Crossing(), linear()] for _ in range(2)]
    stack = Stack(name, layers, 8).double()
    x, mask = torch.randn(3, 5, 8).double(), torch.arange(4) >= torch.tensor([[4], [2], [1]])
    memory = torch.randn(3, 4, 8, dtype=torch.float64, requires_grad=True)
    found = stack(x, memory=memory, mask=mask)
    (found * x).sum().backward()
    assert memory.grad[mask].eq(0).all() and memory.grad[~mask].ne(0).any(1).all()
    step = torch.zeros_like(memory)
    step[1, 1, 2] = 1e-6
    ends = [(stack(x, memory=memory.detach() + sign * step, mask=mask) * x).sum() for sign in (1, -1)]
    torch.testing.assert_close((ends[0] - ends[1]) / 2e-6, memory.grad[1, 1, 2], rtol=1e-5, atol=1e-7)
    with pytest.raises(BadInput, match=r"'masc' is taken by none of Crossing, Sequential.*memory, mask"):
        stack(x, masc=mask)


def test_the_norm_at_the_end_is_none_of_the_layers():
    made = form.CompleteP(base_layers=1, base_width=8, alpha=0.5)
    layers = [Named() for _ in range(4)]
    rates = {name: each.lr for name, each in Stack(made, layers, 8).multipliers().items()}
    assert rates["stream.norm.gain"] == 1.0
    assert rates["blocks.0.feedforward.branch.norm.gain"] == 0.5
