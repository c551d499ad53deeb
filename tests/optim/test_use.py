"""Roles by use: parameters that no type tells are what a forward does with them."""

import copy
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

from mainstem import optim, penalty


class Conv1D(nn.Module):
    """GPT-2's linear layer, as transformers has it."""

    def __init__(self, width=16, out=64):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width, out)), nn.Parameter(torch.zeros(out))

    def forward(self, x):
        return torch.addmm(self.bias, x.flatten(0, -2), self.weight).view(*x.shape[:-1], -1)


class Experts(nn.Module):
    """A mixture whose experts are raw tensors, one of them chosen for each token."""

    def __init__(self, experts=4, width=16, hidden=32):
        super().__init__()
        self.router = nn.Parameter(torch.randn(experts, width))
        self.up = nn.Parameter(torch.randn(experts, width, hidden))
        self.up_shift = nn.Parameter(torch.zeros(experts, hidden))
        self.down = nn.Parameter(torch.randn(experts, hidden, width))
        self.gains = nn.Parameter(torch.ones(64, width))

    def forward(self, x):
        chosen = F.linear(x, self.router).argmax(-1)
        hidden = (x[..., None, :] @ self.up[chosen])[..., 0, :] + self.up_shift[chosen]
        y = torch.zeros_like(x)
        for expert in range(len(self.down)):
            y = y + (chosen == expert)[..., None] * (hidden.relu() @ self.down.to(x.dtype).unbind()[expert])
        return y * self.gains[: x.shape[-2]]


class Computed(nn.Module):
    """A weight that is computed of two, a table that is looked up, and a state matrix that is not multiplied by."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Parameter(torch.randn(64, 4)), nn.Parameter(torch.randn(4, 16))
        self.A_log = nn.Parameter(torch.zeros(16, 64))
        self.table = nn.Parameter(torch.randn(80, 16))
        self.place = nn.Parameter(torch.zeros(1, 90, 16))
        self.kernel = nn.Parameter(torch.randn(16, 16, 5))
        self.offset = nn.Parameter(torch.zeros(1, 16))
        self.both = nn.Parameter(torch.randn(16, 16))
        self.register_buffer("mask", torch.ones(64, 16))

    def forward(self, ids):
        x = F.embedding(ids, self.table) + self.place[:, : ids.shape[1]]
        x = torch.addmm(self.offset, x[0], torch.eye(16))[None]
        x = x * self.both[0] @ self.both + self.both[1]
        x = F.conv1d(x.mT, self.kernel, padding=2).mT
        h = F.linear(x, (self.left @ self.right) * self.mask)
        return h.unsqueeze(-2) * (-self.A_log.exp())


def test_what_multiplies_an_activation_is_a_matrix():
    found = optim.roles_by_use(Experts(), torch.randn(2, 5, 16))
    assert found == {"router": "linear", "up": "linear", "up_shift": "scale", "down": "linear", "gains": "scale"}
    found = optim.roles_by_use(Computed(), torch.arange(6).view(1, 6))
    assert found == {
        "left": "linear", "right": "linear", "A_log": "scale", "table": "embedding", "place": "scale",
        "kernel": "linear", "offset": "scale", "both": "linear",
    }  # fmt: skip


def test_types_tell_before_use_does_and_a_module_itself_before_both():
    class Mine(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.layer, self.free = Conv1D(), nn.Linear(16, 16), nn.Parameter(torch.eye(16))

        def roles(self):
            return {"free": "mix"}

        def forward(self, x):
            return self.inner(self.layer(x) @ self.free)

    assert optim.roles_by_use(Mine(), torch.ones(1, 2, 16)) == {}
    assert optim.roles(Mine()) == {"free": "mix", "inner.weight": "linear", "inner.bias": "bias",
                                   "layer.weight": "linear", "layer.bias": "bias"}  # fmt: skip


@pytest.mark.parametrize("change", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_a_parametrized_weight_has_the_role_of_the_weight(change):
    model = change(Conv1D())
    weights = {name for name, role in optim.roles(model).items() if role == "linear"}
    assert weights == {"parametrizations.weight.original" + ("1" if change is parametrizations.weight_norm else "")}
    raw = Experts()
    parametrizations.spectral_norm(raw, "router")
    assert optim.roles_by_use(raw, torch.randn(2, 5, 16))["parametrizations.router.original"] == "linear"


def test_groups_penalties_and_the_table_go_by_what_was_found_and_copies_too():
    model = Experts()
    with pytest.warns(UserWarning, match="nobody says"):
        assert {group["weight_decay"] for group in optim.groups(model, decay=0.3)} == {0.0}
    optim.roles_by_use(model, torch.randn(2, 5, 16))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for each in (model, copy.deepcopy(model), nn.DataParallel(model)):
            groups = optim.groups(each, decay=0.3)
            decayed = {name for group in groups for name in group["names"] if group["weight_decay"] == 0.3}
            assert decayed == {"router", "up", "down"}
            squares = sum(p.square().sum() for p in (model.router, model.up, model.down))
            torch.testing.assert_close(penalty.L2(0.1)(each), 0.1 * squares)
        rows = optim.table(model, optim.AdamW(groups))
    assert {row.name: row.role for row in rows}["up"] == "linear"


def test_large_tensors_that_nobody_tells_are_named_with_the_remedy():
    with pytest.warns(UserWarning, match=r"whether up \[4, 16, 32\], down \[4, 32, 16\], gains \[64, 16\] of Experts"):
        optim.groups(Experts())
    with pytest.warns(UserWarning, match=r"optim\.roles_by_use.*on="):
        penalty.L1(0.1)(nn.ModuleList([nn.Linear(2, 2), Experts()]))
    known = Experts()
    for name in ("up", "down", "gains"):
        getattr(known, name)._no_weight_decay = True  # as Mamba's authors mark what is not to be decayed
    for silent, on in ((known, None), (Experts(experts=1, width=4, hidden=4), None), (Experts(), "*")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            optim.groups(silent, on=on)


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(Conv1D(16, 16), nn.BatchNorm1d(16), nn.Dropout(0.5))
    model[2].eval()
    state, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    optim.roles_by_use(model, torch.ones(4, 16))
    assert [part.training for part in model] == [True, True, False]
    assert all(value.equal(state[name]) for name, value in model.state_dict().items())
    assert torch.get_rng_state().equal(random) and all(p.grad is None for p in model.parameters())
