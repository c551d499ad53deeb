"""Initial weights, drawn from the counter by name. May import counter, form and stream.

Shapes: N sublayers of the whole model.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from .. import catalogue, counter
from ..errors import BadInput
from ..form import Form
from ..stream import Site
from .block import sublayer_names

Rule = Callable[[str, tuple[int, int], int], float]
"""(role, (rows, columns), N) -> standard deviation."""

DRAWN = frozenset({"embedding", "position", "head", "attention", "feedforward", "linear"})
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
    if name not in (names := catalogue.names("init")):
        raise BadInput(f"model.init {init!r} is not known: use {', '.join(names)}")
    if reason := form.refuses(name):
        raise BadInput(f"model.init {name!r}: {reason}")
    return name


def _by_name(sites: list[Site]) -> dict[tuple[str, str], Site]:
    """Return the sites by the number of their block and their name in it."""
    found: dict[tuple[str, str], Site] = {}
    for block in sorted({site.block for site in sites}):
        own = [site for site in sites if site.block == block]
        found |= {(str(block), name): site for name, site in zip(sublayer_names(s.kind for s in own), own, strict=True)}
    return found


def normal(name: str, shape: tuple[int, ...], seed: int) -> Tensor:
    """Return standard normal float32 numbers for the parameter `name`: a function of seed, name and position."""
    site = counter.site_id("init", name)
    return counter.normals(seed, site, math.prod(shape)).to(torch.float32).reshape(shape)


@torch.no_grad()
def initialise(model: nn.Module, roles: dict[str, str], form: Form, sites: list[Site], init: str, seed: int) -> None:
    """Draw every matrix of `model`; gains, gates, mixing weights and n-grams keep what they begin with.

    So do the parameters of modules that say no role, but for linear ones: their weights are drawn as a head's, and
    their biases begin at 0.
    """
    rule: Rule = catalogue.resolve("init", chosen(init, form))
    at = _by_name(sites)
    biases = {f"{name}.bias" for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    for name, parameter in model.named_parameters():
        role = roles[name]
        kind = role.split(".")[0]
        if name in biases:
            parameter.zero_()
        if kind not in DRAWN or role == "embedding.ngram" or parameter.dim() < 2:
            continue
        std = rule(role, (len(parameter), parameter[0].numel()), sites[0].sublayers)
        if kind in ("attention", "feedforward"):
            block, *path = name.split(".")[1:]
            std *= form.init_scale(next(at[block, part] for part in path if (block, part) in at), role)
        parameter.copy_(normal(name, tuple(parameter.shape), seed) * std if std else torch.zeros(parameter.shape))
