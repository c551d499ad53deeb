"""The proof of a form: outputs and all gradients against plain loops in float64, at random asymmetric parameters."""

import pytest
import torch
from plain import Plain
from variants import RESIDUALS, SIZES, STACKS, loss, shaken, small, tokens

SETTINGS = [
    {},
    {"norm": "layer", "feedforward": "gelu", "qk_norm": "none"},
    {"kv_heads": 1, "feedforward": "swiglu", "qk_norm": "layer", "ngrams": 3, "ngram_rows": 200},
]


@pytest.mark.parametrize("name", [name for name in RESIDUALS if name != "reversible | value_residual"])
@pytest.mark.parametrize("changes", SETTINGS, ids=["rms-relu2", "layer-gelu", "grouped-swiglu-ngrams"])
def test_outputs_and_every_gradient_equal_the_plain_loops(name, changes):
    assert STACKS[name] is not None, f"write the plain loop of {name} in tests/support/plain_forms.py"
    model = shaken(small(RESIDUALS[name], **changes)).double()
    plain = {key: value.detach().clone().requires_grad_() for key, value in model.named_parameters()}
    oracle = Plain(
        plain,
        SIZES["layers"],
        SIZES["heads"],
        changes.get("kv_heads"),
        changes.get("norm", "rms"),
        changes.get("feedforward", "relu2"),
        changes.get("qk_norm", "rms"),
    )
    oracle.ngram_rows = changes.get("ngram_rows")
    x = tokens()
    expected = oracle.logits(x, STACKS[name])
    # The model gives float32 logits; its stream is compared before that.
    logits = model.features(x) @ model.embedding.weight.T
    torch.testing.assert_close(logits, expected, rtol=1e-9, atol=1e-9)
    direction = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    (logits * direction).sum().backward()
    (expected * direction).sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        torch.testing.assert_close(
            parameter.grad, plain[key].grad, rtol=1e-8, atol=1e-8, msg=lambda m, k=key: f"{k}: {m}"
        )


@pytest.mark.parametrize("name", RESIDUALS)
def test_every_parameter_has_a_gradient_after_two_steps(name):
    model = small(RESIDUALS[name])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        loss(model, tokens(4, 8)).backward()
        optimizer.step()
    optimizer.zero_grad()
    loss(model, tokens(4, 8)).backward()
    silent = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert not silent
