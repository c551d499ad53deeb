"""A loss of one's own from what a model gives a batch: nothing of the model is changed for it."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from variants import small, tokens

from mainstem import counter
from mainstem.model import Ensemble
from mainstem.model.seen import Seen


def focal(seen: Seen) -> torch.Tensor:
    """Sum (1 - p)^2 (-ln p), p of the target."""
    nats_BT = F.cross_entropy(seen.logits().flatten(0, 1), seen.targets_BT.flatten(), reduction="none")
    nats_BT = nats_BT.view_as(seen.targets_BT)
    return seen.reduced((1.0 - (-nats_BT).exp()) ** 2 * nats_BT)


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_an_objective_is_the_loss(reduction):
    model, x = small("pre_norm").double(), tokens(3, 8)
    y = x.roll(-1, 1)
    y[0, 3] = -100
    p_BT = model(x).double().softmax(-1).gather(2, y.clamp(min=0)[..., None])[..., 0]
    expected = ((1 - p_BT) ** 2 * -p_BT.log()).where(y != -100, 0.0)
    found = model(x, targets_BT=y, objective=focal, reduction=reduction)
    torch.testing.assert_close(found, expected if reduction == "none" else expected.sum(), rtol=1e-5, atol=1e-5)


def test_a_pass_with_other_masks_is_made_once_and_only_where_it_is_asked_for():
    model, x, passes = small("pre_norm").double(), tokens(2, 6), []
    model.embedding.register_forward_hook(lambda *_: passes.append(int(counter.current().draw.key[2])))
    with counter.counter(seed=0, step=1, samples=range(2)):
        model(x, targets_BT=x, objective=Seen.cross_entropy)
        assert passes == [0]
        model(x, targets_BT=x, objective=lambda seen: (seen.other - seen.other + seen.first).sum())
    assert passes == [0, 0, 1]


def test_each_member_of_an_ensemble_has_it_in_training_and_none_in_eval():
    members, x = Ensemble(replace(small("pre_norm").settings, members=2), seed=0).double(), tokens(2, 6)
    each = [member(x, targets_BT=x, objective=focal) for member in members.members]
    torch.testing.assert_close(members(x, targets_BT=x, objective=focal), (each[0] + each[1]) / 2)
    members.eval()
    assert members(x, targets_BT=x, objective=focal).equal(members(x, targets_BT=x))
