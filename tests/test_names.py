"""Names and roles behind whatever wraps or reparametrizes a model: those of the model itself."""

import copy
import os

import pytest
import torch
import torch.distributed
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.optim.swa_utils import AveragedModel

from mainstem import noise, optim, penalty
from mainstem.errors import BadInput
from mainstem.names import parameters, sites
from mainstem.optim.averaging import Average
from mainstem.optim.roles import named, roles, select


class Net(nn.Module):
    """It has parts that it calls `module` and `_orig_mod` itself, which are no wrappers."""

    def __init__(self):
        super().__init__()
        self.module = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self._orig_mod = noise.Dropout(0.5)
        self.skip = noise.StochasticDepth(0.5)
        self.again = self.skip
        self.out = nn.Linear(4, 4, bias=False)
        self.out.weight = self.module.weight

    def roles(self):
        return {"module.weight": "feedforward.in", "out.weight": "head"}

    def forward(self, x):
        return x + self.skip(self.out(self._orig_mod(self.norm(self.module(x)))))


NAMES = ["module.weight", "module.bias", "norm.weight", "norm.bias"]
SITES = {"": Net, "module": nn.Linear, "norm": nn.LayerNorm, "_orig_mod": noise.Dropout, "skip": noise.StochasticDepth,
         "out": nn.Linear}  # fmt: skip


@pytest.fixture
def alone(tmp_path):
    """A process group of this process."""
    if not torch.distributed.is_available():
        pytest.skip("this torch has no torch.distributed")
    os.environ.pop("RANK", None)
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def recomputed(model):
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper  # takes seconds

    return checkpoint_wrapper(model)


def fully_sharded(model):
    from torch.distributed.fsdp import FullyShardedDataParallel

    return FullyShardedDataParallel(model, use_orig_params=True, device_id=torch.device("cpu"))


WRAPPERS = {
    "DistributedDataParallel": nn.parallel.DistributedDataParallel,
    "DataParallel": nn.DataParallel,
    "AveragedModel": AveragedModel,
    "compiled": lambda model: torch.compile(model, backend="eager"),
    "recomputed": recomputed,
    "fully sharded": fully_sharded,
    "compiled and averaged": lambda model: AveragedModel(torch.compile(model, backend="eager")),
    "a DataParallel in another": lambda model: nn.DataParallel(nn.DataParallel(model)),
}
each = pytest.mark.parametrize("wrap", list(WRAPPERS.values()), ids=list(WRAPPERS))
pytestmark = pytest.mark.filterwarnings("ignore:.*FSDP.*:UserWarning", "ignore:FSDP will not all-gather:UserWarning")


def inside(wrapped):
    """Return the Net that a wrapper holds, or its copy."""
    return next(part for part in wrapped.modules() if isinstance(part, Net))


@each
def test_names_roles_and_patterns_are_those_without_the_wrapper(wrap, alone):
    plain, wrapped = Net(), wrap(Net())
    assert list(named(wrapped)) == list(named(plain)) == NAMES
    assert roles(wrapped) == roles(plain)
    assert parameters(wrapped).aliases == parameters(plain).aliases
    for on in (None, "head", "module.*", "norm"):
        assert list(select(wrapped, on)) == list(select(plain, on))
    outer = nn.Sequential(wrap(Net()))
    assert list(named(outer)) == [f"0.{name}" for name in named(plain)]
    assert roles(outer) == {f"0.{name}": role for name, role in roles(plain).items()}


@each
def test_sites_of_noise_and_their_masks_are_those_without_the_wrapper(wrap, alone):
    plain, wrapped = noise.bind(Net()), noise.bind(wrap(Net()))
    assert {name: type(part) for name, part in sites(plain).items()} == SITES
    assert {name: type(part) for name, part in sites(wrapped).items()} == SITES
    x, found = torch.ones(16, 64), []
    for net in (plain, inside(wrapped)):
        assert (net._orig_mod.site, net.skip.site) == ("_orig_mod", "skip")
        with noise.counter(seed=1, step=2, samples=range(16)):
            found.append(net._orig_mod(x) + net.skip(x))
    assert found[0].equal(found[1])


@each
@pytest.mark.parametrize("on", [None, "module.*", "norm", "head"])
def test_penalties_and_decay_take_what_they_take_without_the_wrapper(wrap, on, alone):
    torch.manual_seed(0)
    plain = Net()
    wrapped = wrap(copy.deepcopy(plain))
    R = penalty.L2(0.1, on=on)
    assert R(wrapped).equal(R(plain))
    found = [optim.groups(net, decay=0.3, on=on) for net in (plain, wrapped)]
    said = [[{k: v for k, v in group.items() if k != "params"} for group in groups] for groups in found]
    assert said[0] == said[1] and any(group["weight_decay"] for group in said[0])
    rows = [optim.table(net, optim.AdamW(groups), [R]) for net, groups in zip((plain, wrapped), found, strict=True)]
    assert rows[0] == rows[1]


@each
def test_an_average_and_the_state_of_an_optimizer_go_on_without_the_wrapper(wrap, alone):
    model = Net()
    wrapped = wrap(model)
    inner = inside(wrapped)
    average = Average(wrapped, decay=0.5)
    average.update(wrapped)
    average.update(inner)
    other = Average(Net(), decay=0.5)
    other.load(average.state())
    assert {*average.state()} == {*NAMES, "average.updates"}
    optimizer = optim.AdamW(optim.groups(wrapped))
    for p in optimizer.param_groups[0]["params"]:
        p.grad = torch.ones_like(p)
    optimizer.step()
    tensors, tree = optim.state.flatten(optimizer, wrapped)
    optim.state.restore(optim.AdamW(optim.groups(inner)), inner, tensors, tree)
    assert "exp_avg/module.weight" in tensors


def pruned(layer):
    prune.l1_unstructured(layer, "weight", amount=0.5)
    return layer


def old_weight_norm(layer):
    with pytest.warns(FutureWarning, match="weight_norm"):
        return nn.utils.weight_norm(layer)


OF = "parametrizations.weight"
REPARAMETRIZED = {
    "weight norm": (parametrizations.weight_norm, f"{OF}.original0", f"{OF}.original1"),
    "old weight norm": (old_weight_norm, "weight_g", "weight_v"),
    "orthogonal": (parametrizations.orthogonal, None, f"{OF}.original"),
    "spectral norm": (parametrizations.spectral_norm, None, f"{OF}.original"),
    "old spectral norm": (nn.utils.spectral_norm, None, "weight_orig"),
    "pruned": (pruned, None, "weight_orig"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", REPARAMETRIZED)
def test_what_a_weight_is_made_of_has_its_role_and_magnitudes_are_scales(name):
    make, magnitude, direction = REPARAMETRIZED[name]
    layer = make(nn.Linear(8, 8))
    expected = {"bias": "bias", direction: "linear"} | ({magnitude: "scale"} if magnitude else {})
    assert roles(layer) == expected
    decayed = {name for group in optim.groups(layer, decay=0.1) if group["weight_decay"] for name in group["names"]}
    assert decayed == {direction}
    for made in (optim.Muon(optim.groups(layer), roles=("linear",)), optim.Muon(layer.parameters())):
        taken = [p for group in made.param_groups if group["method"] == "muon" for p in group["params"]]
        assert len(taken) == 1 and taken[0] is layer.get_parameter(direction)


@pytest.mark.parametrize("make", [pruned, parametrizations.weight_norm, parametrizations.orthogonal])
def test_a_role_that_a_module_publishes_is_that_of_what_its_weight_is_made_of(make):
    net = Net()
    net.out = nn.Linear(4, 4, bias=False)
    make(net.module)
    (direction,) = (name for name, role in roles(net).items() if role == "feedforward.in")
    assert direction.startswith("module.") and direction.endswith(("_orig", "original", "original1"))
    assert roles(net)["module.bias"] == "bias"


def test_a_module_may_call_its_own_parameters_so():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain_orig = nn.Parameter(torch.ones(2, 2))

        def roles(self):
            return {"gain_orig": "mix"}

    assert roles(Own()) == {"gain_orig": "mix"}


@pytest.mark.parametrize(
    "given", [3, [nn.Linear(2, 2)], nn.Linear(2, 2).parameters()], ids=["number", "list", "parameters"]
)
@pytest.mark.parametrize("function", [optim.groups, noise.bind, noise.take_over, select, penalty.L1(1e-3)])
def test_what_is_no_model_is_named(function, given):
    with pytest.raises(
        BadInput, match=rf"{type(given).__name__} stands where a model is needed: give the torch\.nn\.M"
    ):
        function(given)


def test_several_patterns_are_one_text():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with pytest.raises(BadInput, match=r"on=\['0\.weight', '1\.weight'\] is no text.*behind commas"):
        optim.groups(model, on=["0.weight", "1.weight"])
    assert set(select(model, "0.weight, 1.*, !1.bias")) == {"0.weight", "1.weight"}
