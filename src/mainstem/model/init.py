"""Initial weights, drawn from the counter by name. May import counter, form and stream.

Shapes: N sublayers of the whole model.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from .. import counter
from ..errors import BadInput
from ..form import Form
from ..stream import Site

Rule = Callable[[str, tuple[int, int], int], float]
"""(role, (rows, columns), N) -> standard deviation."""

OUTPUTS = frozenset({"attention.out", "feedforward.out"})


def _normal(role: str, shape: tuple[int, int], sublayers: int) -> float:
    return 0.02


def _gpt2(role: str, shape: tuple[int, int], sublayers: int) -> float:
    return 0.02 / math.sqrt(sublayers) if role in OUTPUTS else 0.02


def _zero(role: str, shape: tuple[int, int], sublayers: int) -> float:
    if role in OUTPUTS:
        return 0.0
    return shape[1] ** -0.5 if "." in role else 0.02


def _xavier(role: str, shape: tuple[int, int], sublayers: int) -> float:
    return math.sqrt(2.0 / (shape[0] + shape[1])) if "." in role else 0.02


INITS: dict[str, Rule] = {"normal": _normal, "gpt2": _gpt2, "zero": _zero, "xavier": _xavier}
"""normal: N(0, 0.02). gpt2: the same, output projections divided by sqrt(N) (Radford et al. 2019, section 2.3).
zero: output projections 0, other matrices N(0, 1/columns). xavier: N(0, 2/(rows + columns)) (Glorot and Bengio 2010,
equation 16, as a normal distribution). Embeddings, positions and heads have 0.02 under all of them."""


def chosen(init: str, form: Form) -> str:
    """Return the name of the rule for `init`, where auto means the form's own; refuse what cannot work."""
    name = form.init() if init == "auto" else init
    if name not in INITS:
        raise BadInput(f"model.init {init!r} is not known: use auto, {', '.join(INITS)}")
    if reason := form.refuses(name):
        raise BadInput(f"model.init {name!r}: {reason}")
    return name


def normal(name: str, shape: tuple[int, ...], seed: int) -> Tensor:
    """Return standard normal float32 numbers for the parameter `name`: a function of seed, name and position."""
    site = counter.site_id("init", name)
    return counter.normals(seed, site, math.prod(shape)).to(torch.float32).reshape(shape)


@torch.no_grad()
def initialise(model: nn.Module, roles: dict[str, str], form: Form, sites: list[Site], init: str, seed: int) -> None:
    """Draw every matrix of `model`; gains, biases, gates, mixing weights and n-grams keep what they begin with."""
    rule = INITS[chosen(init, form)]
    at = {(site.block, site.kind): site for site in sites}
    for name, parameter in model.named_parameters():
        role = roles[name]
        kind = role.split(".")[0]
        if kind not in ("embedding", "position", "head", "attention", "feedforward") or role == "embedding.ngram":
            continue
        std = rule(role, (parameter.shape[0], parameter.shape[1]), sites[0].sublayers)
        if kind in ("attention", "feedforward"):
            std *= form.init_scale(at[int(name.split(".")[1]), kind], role)
        parameter.copy_(normal(name, tuple(parameter.shape), seed) * std if std else torch.zeros(parameter.shape))
