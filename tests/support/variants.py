"""Every registered residual form, and the combinations that strain the seams, as small models for the laws."""

import plain_forms
import plain_streams
import torch

from mainstem import catalogue, noise
from mainstem.model import LanguageModel, Rates, Settings

VALUES = {
    "hyper": {"hyper": {"streams": 3}, "hyper static": {"streams": 3, "weights": "static"}},
    "mix_ln": {"mix_ln": {"share": 0.5}},
    "resi_dual": {"resi_dual": {"share": 0.5}},
    "laurel": {"laurel": {"rank": 3}},
    "mhc": {"mhc": {"streams": 3, "iterations": 5}},
    "mhc_lite": {"mhc_lite": {"streams": 3}},
    "identity_mixing": {"identity_mixing": {"streams": 3}},
    "attention_residuals": {"attention_residuals": {}, "attention_residuals grouped": {"group": 2}},
    "delta_attention_residuals": {
        "delta_attention_residuals": {},
        "delta_attention_residuals grouped": {"group": 2},
    },
    "bdia": {"bdia": {"bits": None}},
    "complete_p": {"complete_p": {"base_layers": 2, "base_width": 6, "alpha": 0.75}},
}
"""Values with which forms run through the laws where the default would hide something in so small a model."""
COMBINED = {
    "hyper | value_residual": [{"name": "hyper", "streams": 3}, "value_residual"],
    "sandwich | reinjection": "sandwich | reinjection",
    "reversible | value_residual": "reversible | value_residual",
}

RESIDUALS = {
    name: {"name": registered, **values} if values else registered
    for registered in catalogue.names("residual")
    for name, values in VALUES.get(registered, {registered: {}}).items()
}
RESIDUALS |= COMBINED

WRITTEN = {**vars(plain_forms), **vars(plain_streams)}
STACKS = {
    **{name: WRITTEN.get(name.replace(" ", "_")) for name in RESIDUALS},
    "hyper | value_residual": plain_streams.hyper_value_residual,
    "sandwich | reinjection": plain_forms.sandwich_reinjection,
    "reversible | value_residual": None,
}
"""The oracle of each; reversible | value_residual is proven by its equality with stored activations instead."""

SIZES = {"vocab": 13, "layers": 3, "width": 12, "heads": 2, "context": 8}
NOISY = Rates(embedding=0.1, attention_weights=0.2, attention=0.1, hidden=0.2, feedforward=0.1, depth=0.3)


QUIET_DEPTH = Rates(embedding=0.1, attention_weights=0.2, attention=0.1, hidden=0.2, feedforward=0.1)
"""All dropout, and no stochastic depth: beside a branch that may be skipped, fewer rules fit."""


def small(residual, seed=0, **changes):
    """Return a model of `residual` small enough for plain loops."""
    return LanguageModel(Settings(**{**SIZES, "residual": residual, **changes}), seed=seed)


def shaken(model, seed=5, by=0.3):
    """Move every parameter to a random place, so that no identity at initialisation can hide an error."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += by * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return model


def tokens(batch=2, length=5, vocab=13, seed=1):
    return torch.randint(0, vocab, (batch, length), generator=torch.Generator().manual_seed(seed))


def loss(model, x, **scope):
    """Return a scalar that depends on every logit, under a counter."""
    with noise.counter(**{"seed": 3, "step": 4, "samples": range(len(x)), **scope}):
        logits = model(x)
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), x.roll(-1, 1).flatten())
