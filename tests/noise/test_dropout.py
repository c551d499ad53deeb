"""`noise.Dropout` in the place of `nn.Dropout`: what of the one is true is true of the other."""

import copy

import pytest
import torch
from torch import nn

from mainstem.errors import BadInput
from mainstem.noise import Dropout

PAIR = [nn.Dropout, Dropout]
each = pytest.mark.parametrize("kind", PAIR)
GIVEN = {
    "nothing": ((), {}),
    "a rate": ((0.3,), {}),
    "both": ((0.3, True), {}),
    "names": ((), {"inplace": True, "p": 0.25}),
    "off": ((0,), {}),
}


@pytest.mark.parametrize("given", GIVEN)
def test_its_arguments_attributes_state_and_words_are_those_of_torch(given):
    args, named = GIVEN[given]
    theirs, ours = (kind(*args, **named) for kind in PAIR)
    assert isinstance(ours, nn.Dropout)
    assert (ours.p, ours.inplace, ours.training) == (theirs.p, theirs.inplace, theirs.training)
    assert repr(ours) == repr(theirs)
    assert ours.state_dict() == theirs.state_dict() == {}
    assert {*dir(theirs)} <= {*dir(ours)}


def test_a_rate_is_the_same_by_either_name_and_the_rest_are_our_own():
    layer = Dropout(rate=0.25, batch_dim=1, context=8)
    assert (layer.p, layer.rate, layer.batch_dim, layer.context) == (0.25, 0.25, 1, 8)


@each
def test_a_loop_over_modules_that_knows_torchs_alone_switches_it_off_and_on(kind):
    net = nn.Sequential(nn.Linear(4, 4), kind(0.5))
    x = torch.ones(8, 64)
    for p in (0.0, 0.75):
        for module in net.modules():
            if isinstance(module, nn.Dropout):
                module.p = p
        torch.manual_seed(0)
        share = (net[1](x) == 0).float().mean().item()
        assert share == pytest.approx(p, abs=5 * (p * (1 - p) / x.numel()) ** 0.5)
    assert net[1].p == 0.75


@each
@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_a_rate_that_is_no_probability_is_a_value_error(kind, p):
    with pytest.raises(ValueError, match=str(p)):
        kind(p)


def test_neither_is_one_that_is_set_later_and_the_old_one_stays():
    layer = Dropout(0.5)
    with pytest.raises(BadInput, match=r"rate 2\.0 is not a probability: give a number from 0 to 1"):
        layer.p = 2.0
    assert layer.p == 0.5 and int(layer.threshold) == 32768


@each
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(4096,), (64, 64), (4, 8, 16, 8)])
def test_it_keeps_and_scales_as_often_as_it_says(kind, p, shape):
    torch.manual_seed(1)
    x = torch.full(shape, 3.0, requires_grad=True)
    y = kind(p)(x)
    y.sum().backward()
    kept = y != 0
    deviation = (p * (1 - p) / x.numel()) ** 0.5
    assert 1 - kept.float().mean().item() == pytest.approx(p, abs=5 * deviation)
    torch.testing.assert_close(y[kept], torch.full_like(y[kept], 3 / (1 - p)), rtol=1e-3, atol=0)
    torch.testing.assert_close(x.grad, y.detach() / 3)


@each
def test_at_rate_1_all_is_zero_and_so_is_the_gradient(kind):
    x = torch.randn(4, 8, requires_grad=True)
    y = kind(1.0)(x)
    y.sum().backward()
    assert not y.any() and not x.grad.any()


def test_what_is_dropped_is_zero_where_torch_leaves_a_nan():
    x = torch.full((64, 64), float("nan"))
    torch.manual_seed(0)
    theirs, ours = (kind(0.5)(x) for kind in PAIR)
    assert theirs.isnan().all()
    assert ours.isnan().any() and (ours[~ours.isnan()] == 0).all() and not ours.isnan().all()


LAYOUTS = {
    "contiguous": lambda: torch.randn(2, 3, 4, 5),
    "channels last": lambda: torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "channels last, 3-D": lambda: torch.randn(2, 3, 4, 5, 2).to(memory_format=torch.channels_last_3d),
    "turned": lambda: torch.randn(4, 6, 8).transpose(1, 2),
    "sliced": lambda: torch.randn(4, 6, 8)[:, ::2],
    "expanded": lambda: torch.randn(4, 1, 8).expand(4, 6, 8),
    "a vector": lambda: torch.randn(7),
    "a number": lambda: torch.randn(()),
    "no sample": lambda: torch.randn(0, 4),
    "no element": lambda: torch.randn(3, 0),
}


@pytest.mark.parametrize("of", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_what_it_returns_lies_in_memory_as_torchs_does(of, dtype):
    x = LAYOUTS[of]().to(dtype)
    theirs, ours = (kind(0.5)(x) for kind in PAIR)
    assert (ours.shape, ours.stride(), ours.dtype) == (theirs.shape, theirs.stride(), theirs.dtype)
    kept = ours != 0
    assert ours[kept].equal(2 * x[kept])


@pytest.mark.parametrize("turned", [False, True])
def test_a_layout_changes_no_mask_and_no_gradient(turned):
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    layout = torch.channels_last if turned else torch.contiguous_format
    x = x.to(memory_format=layout).requires_grad_()

    def run(h):
        torch.manual_seed(3)
        return Dropout(0.5)(h)

    assert run(x).equal(run(x.detach().contiguous()))
    assert torch.autograd.gradcheck(run, (x,)) and torch.autograd.gradgradcheck(run, (x,))


@each
@pytest.mark.parametrize("of", [of for of in LAYOUTS if of != "expanded"])
def test_inplace_changes_what_it_is_given(kind, of):
    whole = LAYOUTS[of]()
    before = whole.clone()
    y = kind(0.5, inplace=True)(whole)
    assert y.data_ptr() == whole.data_ptr() and y.equal(whole) and y.stride() == whole.stride()
    kept = y != 0
    assert y[kept].equal(2 * before[kept])


@each
def test_gradients_flow_through_what_was_changed_inplace(kind):
    x = torch.randn(16, 16, requires_grad=True)
    h = 3 * x
    kept = kind(0.5, inplace=True)(h)
    (2 * h).sum().backward()
    assert kept is h or kept.equal(h)
    torch.testing.assert_close(x.grad, torch.where(h == 0, 0.0, 12.0))


@each
def test_a_leaf_that_needs_a_gradient_is_not_changed_inplace(kind):
    x = torch.randn(4, 4, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        kind(0.5, inplace=True)(x)


@each
def test_in_evaluation_it_returns_what_it_is_given(kind):
    x = torch.arange(4)
    assert kind(0.5).eval()(x).equal(x)
    assert kind(0.0)(x.float()).equal(x.float())


@each
def test_a_copy_is_a_layer_of_its_own(kind):
    layer = kind(0.3, inplace=True)
    other = copy.deepcopy(layer)
    assert repr(other) == repr(layer) and other.p == layer.p
    other.p = 0.5
    assert layer.p == 0.3


def test_it_stands_in_torchs_own_layers():
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.5, batch_first=True)
    for name, module in list(layer.named_children()):
        if isinstance(module, nn.Dropout):
            setattr(layer, name, Dropout(module.p, module.inplace))
    x = torch.randn(2, 4, 16)
    torch.manual_seed(0)
    first, second = layer(x), layer(x)
    assert not first.equal(second)
    layer.eval()
    assert layer(x).equal(layer(x))
