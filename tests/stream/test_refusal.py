"""What cannot be added, and what a residual cannot be made of, is refused with a sentence."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mainstem import Residual, execute, form
from mainstem.errors import BadInput
from mainstem.nn import RMSNorm
from mainstem.stream import Add, Block, Replace, Single, State, sites


class Returning(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return self.value(x)


@pytest.mark.parametrize("run", ["alone", "state", "chain"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda h: None, "The branch's Returning returned NoneType, which cannot be added"),
        (lambda h: {"y": h}, "The branch's Returning returned dict"),
        (lambda h: (), "The branch's Returning returned an empty tuple"),
        (lambda h: (None, h), "The branch's Returning returned NoneType"),
        (lambda h: h[:, :1], r"The branch .*Returning returned torch.float32 \[2, 1, 8\].*\[2, 3, 8\].*shortcut="),
        (lambda h: h[..., 0], r"The branch .*Returning returned torch.float32 \[2, 3\]"),
        (lambda h: h.long(), r"The branch .*Returning returned torch.int64 \[2, 3, 8\]"),
    ],
)
def test_what_cannot_be_added_is_refused_by_the_modules_name(value, said, run):
    residual, x = Residual([RMSNorm(8), Returning(value)]), torch.randn(2, 3, 8)
    calls = {
        "alone": lambda: residual(x),
        "state": lambda: residual(State(x, {})),
        "chain": lambda: execute.run(Single(RMSNorm(8)), [Block([Residual([RMSNorm(8), nn.Identity()]), residual])], x),
    }
    with pytest.raises(BadInput, match=said):
        calls[run]()


def test_what_a_residual_cannot_be_made_of_is_refused():
    place = sites(("feedforward",), 4, 8)[1]
    for make, said in (
        (lambda: Residual(3), "The branch of a residual is int"),
        (lambda: Residual([F.relu]), "A branch was given function"),
        (lambda: Residual(nn.TransformerEncoderLayer(8, 2)), "TransformerEncoderLayer, which adds its input to its"),
        (lambda: Residual(nn.Identity(), drop_path="0.1"), "drop_path is '0.1'"),
        (lambda: Residual(nn.Identity(), drop_path=True), "drop_path is True"),
        (lambda: Residual(nn.Identity(), shortcut=True), "shortcut is bool"),
        (lambda: Residual(nn.Identity(), Replace(), shortcut=nn.Identity()), "Replace keeps the branch alone"),
        (lambda: Residual(nn.Identity(), "hyper"), "connection is 'hyper'"),
        (lambda: Residual(nn.Identity(), form.Highway()), "Highway was given as a connection without a place"),
        (lambda: Residual(nn.Identity(), form.Keel(), width=8), "differently by where they stand"),
        (lambda: Residual(nn.Identity(), form.DeepNorm(), site=place), "DeepNorm scales the initial weights"),
        (lambda: Residual(nn.Identity(), form.LayerScale(), width=8), "LayerScale changes the branch too"),
        (lambda: Residual(nn.Identity(), form.Midpoint(), width=8), "Midpoint changes the branch too"),
        (lambda: Residual(nn.Identity(), form.Parallel(), width=8), "Parallel has sublayers share a residual"),
        (lambda: Residual(nn.Identity())([torch.ones(2)]), "A residual was called with list"),
    ):
        with pytest.raises(BadInput, match=said):
            make()
    x = torch.ones(2, 8)
    with pytest.raises(BadInput, match=r"A shortcut takes the place of x.*Couple has no such x"):
        Residual(nn.Identity(), form.Reversible(), width=8, shortcut=nn.Identity())(x)
    with pytest.raises(BadInput, match=r"returned torch.float32 \[2, 8\], which cannot be added to.*\[2, 1\]"):
        Residual(nn.Identity(), shortcut=nn.Linear(8, 1))(x)
    with pytest.raises(BadInput, match=r"The shortcut Returning returned tuple"):
        Residual(nn.Identity(), Add(), shortcut=Returning(lambda h: (h,)))(x)
