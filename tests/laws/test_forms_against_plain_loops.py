"""The proof of a form: outputs and all gradients against plain loops in float64, at random asymmetric parameters."""

import functools

import pytest
import torch
from plain import Plain
from plain_forms import keel, plain_without_norms
from variants import RESIDUALS, SIZES, STACKS, loss, shaken, small, tokens

from mainstem import form, noise
from mainstem.form.base import defines

SETTINGS = [
    {},
    {"norm": "layer", "feedforward": "gelu", "qk_norm": "none"},
    {
        "kv_heads": 1,
        "feedforward": "swiglu",
        "qk_norm": "layer",
        "embedding": {"name": "ngrams", "order": 3, "rows": 200},
    },
]


FORMS = {
    **RESIDUALS,
    "plain without norms": {"name": "plain", "norm": False},
    "keel with a small factor": {"name": "keel", "alpha": 1.5},
}
LOOPS = {
    **STACKS,
    "plain without norms": plain_without_norms,
    "keel with a small factor": functools.partial(keel, alpha=1.5),
}


class Read(dict):
    """Parameters by name, and which of them were read."""

    def __init__(self, tensors):
        super().__init__(tensors)
        self.names = set()

    def __getitem__(self, name):
        self.names.add(name)
        return super().__getitem__(name)


def compare(name, changes):
    """Raise where the form's model and its plain loops differ, in outputs or in a gradient."""
    assert LOOPS[name] is not None, (
        f"write the plain loop of {name} in tests/support/plain_forms.py or plain_streams.py"
    )
    model = shaken(small(FORMS[name], **changes)).double()
    plain = Read({key: value.detach().clone().requires_grad_() for key, value in model.named_parameters()})
    oracle = Plain(
        plain,
        SIZES["layers"],
        SIZES["heads"],
        changes.get("kv_heads"),
        changes.get("norm", "rms"),
        changes.get("feedforward", "relu2"),
        changes.get("qk_norm", "rms"),
        changes.get("embedding", {}).get("rows"),
    )
    x = tokens()
    expected = oracle.logits(x, LOOPS[name])
    assert plain.names == plain.keys()
    # The model gives float32 logits; its stream is compared before that.
    with noise.counter(seed=3, step=4, samples=range(len(x))):  # which some forms draw from
        features = model.features(x)
    logits = features @ model.embedding.weight.T
    torch.testing.assert_close(logits, expected, rtol=1e-9, atol=1e-9)
    direction = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    (logits * direction).sum().backward()
    (expected * direction).sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        torch.testing.assert_close(
            parameter.grad, dict.get(plain, key).grad, rtol=1e-8, atol=1e-8, msg=lambda m, k=key: f"{k}: {m}"
        )


@pytest.mark.parametrize("name", [name for name in FORMS if name != "reversible | value_residual"])
@pytest.mark.parametrize("changes", SETTINGS, ids=["rms-relu2", "layer-gelu", "grouped-swiglu-ngrams"])
def test_outputs_and_every_gradient_equal_the_plain_loops(name, changes):
    compare(name, changes)


def pieces():
    """Yield each form together with each piece of the algebra that it defines."""
    for name, residual in FORMS.items():
        one = form.parse(residual)
        if name != "plain" and not isinstance(one, form.Combined):  # plain's pieces are there for want of norms
            yield from ((name, piece) for piece in ("groups", "stream", "connection", "branch") if defines(one, piece))


@pytest.mark.parametrize(("name", "piece"), list(pieces()))
def test_a_form_that_lost_a_piece_is_noticed(name, piece, monkeypatch):
    """The oracles are strict: none of them agrees with a form of which one piece is pre-norm's."""
    monkeypatch.setattr(type(form.parse(FORMS[name])), piece, getattr(form.Form, piece))
    with pytest.raises((AssertionError, LookupError, AttributeError, ValueError, TypeError)):
        compare(name, {})


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
