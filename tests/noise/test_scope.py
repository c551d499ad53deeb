"""The four things that make the counter true: the scope, recomputation, names and shapes."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint as plain_checkpoint

import mainstem
from mainstem import noise
from mainstem.errors import BadInput
from mainstem.noise import Dropout, StochasticDepth, bind


def masked(module, x, **scope):
    with noise.counter(**{"seed": 1, "step": 2, "samples": range(len(x)), **scope}):
        return module(x)


def test_the_mask_is_a_function_of_the_counter():
    layer = bind(nn.Sequential(Dropout(0.5)))
    x = torch.ones(4, 64)
    assert torch.equal(masked(layer, x), masked(layer, x))
    for other in ({"seed": 2}, {"step": 3}, {"view": 1}, {"samples": [4, 5, 6, 7]}):
        assert not torch.equal(masked(layer, x), masked(layer, x, **other))


def test_a_sample_keeps_its_mask_wherever_it_stands():
    layer = bind(nn.Sequential(Dropout(0.5)))
    x = torch.ones(64, 32)
    assert torch.equal(masked(layer, x)[32:], masked(layer, x[:32], samples=range(32, 64)))


def test_torch_generators_are_not_touched_inside_a_scope():
    layer = bind(nn.Sequential(Dropout(0.5)))
    before = torch.get_rng_state()
    masked(layer, torch.ones(2, 8))
    assert torch.equal(before, torch.get_rng_state())


def test_outside_a_scope_it_is_a_drop_in():
    layer = Dropout(0.5)
    x = torch.ones(4, 64)
    torch.manual_seed(0)
    first, second = layer(x), layer(x)
    assert not torch.equal(first, second)
    torch.manual_seed(0)
    assert torch.equal(layer(x), first)


def test_a_scope_compiles_once_for_all_steps():
    torch._dynamo.reset()
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph

    layer = bind(nn.Sequential(nn.Linear(8, 8), Dropout(0.5)))
    compiled = torch.compile(layer, backend=backend, fullgraph=True)
    x = torch.ones(4, 8)
    for step in range(4):
        assert torch.equal(masked(compiled, x, step=step), masked(layer, x, step=step))
    layer[1].set_rate(0.25)
    assert torch.equal(masked(compiled, x), masked(layer, x))
    assert len(graphs) == 1


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.dropout = nn.Linear(16, 16), Dropout(0.5)

    def forward(self, x):
        return self.dropout(self.linear(self.dropout(x)))


def test_a_module_called_twice_draws_two_masks():
    layer = bind(Dropout(0.5))
    x = torch.ones(2, 64)
    with noise.counter(seed=1, step=2, samples=range(2)):
        first, second = layer(x), layer(x)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("inside", [True, False], ids=["backward inside", "backward after"])
def test_checkpoint_recomputes_the_same_masks(inside):
    """The weights' gradients as well: they are made of what was computed again, and that of x is not."""
    model = bind(Twice())
    x = torch.randn(3, 16, requires_grad=True)
    wanted = [x, *model.parameters()]

    def gradients(run):
        with noise.counter(seed=1, step=2, samples=range(3)):
            # A call before it shows that the count of calls is carried along too.
            y = run(model(x)).square().sum()
            grads = torch.autograd.grad(y, wanted) if inside else None
        return grads if inside else torch.autograd.grad(y, wanted)

    for found, right in zip(gradients(lambda h: mainstem.checkpoint(model, h)), gradients(model), strict=True):
        assert torch.equal(found, right)


@pytest.mark.parametrize("inside", [True, False], ids=["backward inside", "backward after"])
def test_plain_checkpoint_that_keeps_no_record_of_its_forward_is_refused(inside):
    model = bind(Twice())
    x = torch.randn(3, 16, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"mainstem\.checkpoint"):  # noqa: PT012 (where it raises depends on inside)
        with noise.counter(seed=1, step=2, samples=range(3)):
            y = plain_checkpoint(model, x, use_reentrant=True).sum()
            if inside:
                y.backward()
        y.backward()


def test_plain_checkpoint_works_without_a_scope():
    model = Twice()
    x = torch.randn(3, 16, requires_grad=True)
    torch.manual_seed(3)
    expected = torch.autograd.grad(model(x).square().sum(), x)[0]
    torch.manual_seed(3)
    found = torch.autograd.grad(plain_checkpoint(model, x, use_reentrant=False).square().sum(), x)[0]
    assert torch.equal(found, expected)


def test_names_not_places_make_a_site():
    short = bind(nn.ModuleDict({"a": Dropout(0.5)}))
    long = bind(nn.ModuleDict({"new": Dropout(0.5), "a": Dropout(0.5)}))
    x = torch.ones(2, 64)
    assert torch.equal(masked(short["a"], x), masked(long["a"], x))
    assert not torch.equal(masked(long["new"], x), masked(long["a"], x))


def test_wrappers_leave_the_site_alone():
    model = nn.Sequential(Dropout(0.5))
    bind(torch.compile(model, backend="eager"))
    assert model[0].site == "0"


def test_two_sites_with_one_identity_are_refused():
    # Two words of equal length with one crc32 keep it behind any common prefix, as the checksum is linear.
    with pytest.raises(BadInput, match="one identity"):
        bind(nn.ModuleDict({"plumless": Dropout(0.5), "buckeroo": Dropout(0.5)}))


def test_an_unnamed_site_is_refused_in_a_scope():
    with pytest.raises(BadInput, match=r"noise\.bind"):
        masked(Dropout(0.5), torch.ones(2, 8))


def test_a_wrong_number_of_samples_is_refused():
    layer = bind(Dropout(0.5))
    with pytest.raises(BadInput, match="3"):
        masked(layer, torch.ones(4, 8), samples=range(3))
    other = bind(Dropout(0.5, batch_dim=1))
    assert masked(other, torch.ones(4, 3, 8), samples=range(3)).shape == (4, 3, 8)


def test_stochastic_depth_draws_per_sample_or_per_batch():
    each, whole = bind(StochasticDepth(0.5)), bind(StochasticDepth(0.5, per="batch"))
    shares = []
    for step in range(200):
        with noise.counter(seed=1, step=step, samples=range(8)):
            kept, scale = each.keep(8)
            together, _ = whole.keep(8)
        assert together.all() or not together.any()
        assert scale.item() == 2.0
        shares.append(float(kept.float().mean()))
    assert abs(sum(shares) / 200 - 0.5) < 4 * 0.5 / (1600**0.5)


KINDS = {
    "dropout": lambda: nn.Sequential(Dropout(0.5)),
    "drop path": lambda: nn.Sequential(StochasticDepth(0.5)),
    "batch": lambda: nn.Sequential(StochasticDepth(0.5, per="batch")),
    "residual": lambda: nn.Sequential(mainstem.Residual(nn.Linear(8, 8), drop_path=0.5)),
    "stack": lambda: nn.Sequential(mainstem.Stack("pre_norm", [nn.Linear(8, 8)], 8, noises=[noise.Gaussian(0.5)])),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [[5], range(3), range(8)])
def test_a_scope_that_names_another_number_of_samples_is_refused_by_the_name_of_the_site(kind, samples):
    """One name for several rows made all of them share a draw, without a word."""
    model = bind(KINDS[kind]())
    with pytest.raises(BadInput, match=rf"'0.*, was given 4 samples, and noise.counter names {len(samples)}: "):
        masked(model, torch.ones(4, 8), samples=samples)
    masked(model.eval(), torch.ones(4, 8), samples=samples)


@pytest.mark.filterwarnings("ignore:something inside noise.counter drew")
def test_recomputed_torch_dropout_drops_the_same_inside_a_scope():
    layer = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), Dropout(0.5), nn.Linear(8, 8))
    bind(layer)
    x, grads = torch.randn(4, 8), []
    for call in (lambda x: layer(x), lambda x: noise.checkpoint(layer, x)):
        torch.manual_seed(0)
        layer.zero_grad()
        masked(call, x).square().sum().backward()
        grads.append([p.grad.clone() for p in layer.parameters()])
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other)
