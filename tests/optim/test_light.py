"""Making, stepping and saving an optimizer imports no compiler, and does what torch's own does."""

import subprocess
import sys

import pytest
import torch

from mainstem import optim

SCRIPT = """
import sys, torch
from mainstem import optim
layer = torch.nn.Linear(4, 4)
made = {make}
for _ in range(2):
    layer(torch.randn(2, 4)).sum().backward()
    optim.update(made, layer, 1.0)
    made.zero_grad()
made.load_state_dict(made.state_dict())
print("torch._dynamo" in sys.modules)
"""


MUON = "optim.Muon(optim.groups(torch.nn.Sequential(layer)), roles=['linear'])"


@pytest.mark.parametrize("make", ["optim.AdamW(layer.parameters())", MUON])
def test_no_compiler_is_imported(make: str) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(make=make)], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "False", done.stdout + done.stderr


def test_groups_states_and_gradients_are_torch_s() -> None:
    weights = [torch.nn.Parameter(torch.randn(3, 2)) for _ in range(3)]
    others = [torch.nn.Parameter(w.detach().clone()) for w in weights]
    ours = optim.AdamW(weights[:2], lr=0.1)
    theirs = torch.optim.AdamW(others[:2], lr=0.1, weight_decay=0.0, fused=True)
    ours.add_param_group({"params": [weights[2]], "lr": 0.1})
    theirs.add_param_group({"params": [others[2]], "lr": 0.1})
    with pytest.raises(ValueError, match="more than one parameter group"):
        ours.add_param_group({"params": [weights[2]]})
    for _ in range(2):
        for own, other in zip(weights, others, strict=True):
            own.grad, other.grad = own.detach().clone(), other.detach().clone()
        ours.step()
        theirs.step()
    for own, other in zip(weights, others, strict=True):
        torch.testing.assert_close(own, other)
    ours.zero_grad(set_to_none=False)
    assert all(w.grad is not None and not w.grad.any() for w in weights)
    ours.zero_grad()
    assert all(w.grad is None for w in weights)
    saved = ours.state_dict()
    fresh = optim.AdamW([{"params": weights[:2]}, {"params": [weights[2]]}], lr=0.3)
    fresh.load_state_dict(saved)
    assert fresh.param_groups[0]["lr"] == 0.1
    assert set(fresh.state_dict()["state"]) == set(saved["state"]) == {0, 1, 2}
