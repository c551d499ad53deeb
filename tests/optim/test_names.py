"""Names and roles behind whatever wraps or reparametrizes a model: those of the model itself."""

import os

import pytest
import torch
import torch.distributed
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.optim.swa_utils import AveragedModel

from mainstem import optim
from mainstem.optim.averaging import Average
from mainstem.optim.names import parameters
from mainstem.optim.roles import named, roles, select


class Net(nn.Module):
    """It has a part that it calls `module` itself, which is no wrapper."""

    def __init__(self):
        super().__init__()
        self.module = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.out = nn.Linear(4, 4, bias=False)
        self.out.weight = self.module.weight

    def roles(self):
        return {"module.weight": "feedforward.in", "out.weight": "head"}

    def forward(self, x):
        return self.out(self.norm(self.module(x)))


@pytest.fixture
def alone(tmp_path):
    """A process group of this process."""
    if not torch.distributed.is_available():
        pytest.skip("this torch has no torch.distributed")
    os.environ.pop("RANK", None)
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


WRAPPERS = {
    "DistributedDataParallel": nn.parallel.DistributedDataParallel,
    "DataParallel": nn.DataParallel,
    "AveragedModel": AveragedModel,
    "compiled and averaged": lambda model: AveragedModel(torch.compile(model, backend="eager")),
}


@pytest.mark.parametrize("wrap", list(WRAPPERS.values()), ids=list(WRAPPERS))
def test_a_wrapper_leaves_no_trace(wrap, alone):
    plain = Net()
    wrapped = wrap(Net())
    assert list(named(wrapped)) == list(named(plain)) == ["module.weight", "module.bias", "norm.weight", "norm.bias"]
    assert roles(wrapped) == roles(plain)
    assert parameters(wrapped).aliases == parameters(plain).aliases
    for on in (None, "head", "module.*", "norm"):
        assert list(select(wrapped, on)) == list(select(plain, on))
    inside = nn.Sequential(wrap(Net()))
    assert list(named(inside)) == [f"0.{name}" for name in named(plain)]
    assert roles(inside) == {f"0.{name}": role for name, role in roles(plain).items()}


@pytest.mark.parametrize("wrap", [nn.DataParallel, AveragedModel])
def test_an_average_and_the_state_of_an_optimizer_go_on_without_the_wrapper(wrap):
    model = Net()
    wrapped = wrap(model)
    average = Average(wrapped, decay=0.5)
    average.update(wrapped)
    inner = wrapped.module
    average.update(inner)
    other = Average(inner, decay=0.5)
    other.load(average.state())
    optimizer = optim.AdamW(optim.groups(wrapped))
    inner(torch.ones(2, 4)).sum().backward()
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
