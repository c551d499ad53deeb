"""The names of the sites, from which masks are drawn: another name is another mask, so none may change unsaid."""

import pytest
from variants import NOISY, small

from mainstem.noise import Noise

BLOCK = (
    "attention.drop_path", "attention.branch.attention.dropout", "attention.branch.dropout",
    "feedforward.drop_path", "feedforward.branch.feedforward.dropout", "feedforward.branch.dropout",
)  # fmt: skip
TOGETHER = (
    "attention_feedforward.drop_path", "attention_feedforward.branch.sum.attention.attention.dropout",
    "attention_feedforward.branch.sum.attention.dropout",
    "attention_feedforward.branch.sum.feedforward.feedforward.dropout",
    "attention_feedforward.branch.sum.feedforward.dropout",
)  # fmt: skip


@pytest.mark.parametrize(
    ("form", "block", "missing"),
    [
        *((form, BLOCK, ()) for form in ("pre_norm", "post_norm", "sandwich", "hyper", "layer_scale", "denseformer")),
        ("value_residual", BLOCK, ("blocks.0.attention.drop_path",)),
        ("parallel", TOGETHER, ()),
    ],
)
def test_the_five_dropouts_and_stochastic_depth_have_the_names_that_they_always_had(form, block, missing):
    model = small(form, rates=NOISY, layers=2)
    expected = {"embedding.dropout", *(f"blocks.{number}.{name}" for number in (0, 1) for name in block)}
    sites = {name: module.site for name, module in model.named_modules() if isinstance(module, Noise)}
    assert sites.keys() == expected - set(missing)
    assert all(name == site for name, site in sites.items())
