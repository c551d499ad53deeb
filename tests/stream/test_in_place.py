"""A branch that changes what it is given in place."""

import pytest
import torch
from often import often
from torch import nn

from mainstem import Residual, Stack, execute, form, noise
from mainstem.errors import BadInput
from mainstem.nn import RMSNorm
from mainstem.stream import Block, Single

INPLACE = {
    "first": [nn.ReLU(inplace=True), nn.Linear(8, 8)],
    "dropout": [noise.Dropout(0.5, inplace=True), nn.Linear(8, 8)],
    "inside": [nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))],
}


@pytest.mark.parametrize("branch", INPLACE)
@pytest.mark.parametrize("run", ["alone", "chain", "drop path", "shortcut", "post-norm", "reversible"])
def test_a_branch_that_changes_x_in_place_is_refused(branch, run):
    """The sum would be of relu(x) and F(x), and nothing would say so."""
    x, parts = torch.randn(2, 3, 8), INPLACE[branch]
    calls = {
        "alone": lambda: Residual(parts)(x),
        "chain": lambda: execute.run(Single(RMSNorm(8)), [Block([Residual(parts)])], x),
        "drop path": lambda: often(Residual(parts, drop_path=0.5), x),
        "shortcut": lambda: Residual(parts, shortcut=nn.Linear(8, 8))(x),
        "post-norm": lambda: Stack("post_norm", [nn.Sequential(*parts)], 8)(x),
        "reversible": lambda: Residual(parts, form.Reversible(), width=8)(x),
    }
    with pytest.raises(BadInput, match=r"changed x in place, so that it would be added to.*inplace=False"):
        calls[run]()


def test_what_is_changed_in_place_behind_the_first_module_is_the_branch_s_own():
    norm, linear, x = nn.LayerNorm(8), nn.Linear(8, 8), torch.randn(2, 8)
    y = Residual([norm, nn.ReLU(inplace=True), linear, noise.Dropout(0.0, inplace=True)])(x)
    torch.testing.assert_close(y, x + linear(norm(x).relu()))
    with torch.inference_mode():
        assert Residual([nn.ReLU(inplace=True)])(torch.ones(2)).tolist() == [2.0, 2.0]
