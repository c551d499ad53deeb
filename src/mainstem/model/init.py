"""Initial weights, drawn from the counter by name.

Shapes: N sublayers of the whole model.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .. import catalogue, counter
from ..errors import BadInput
from ..form import Form
from ..stream import Site
from .block import sublayer_names
from .rules import Rule

DRAWN = frozenset({"embedding", "position", "head", "attention", "feedforward", "linear"})


def chosen(init: str, form: Form) -> str:
    """Return the name of the rule for `init`, where auto means the form's own; refuse what cannot work."""
    name = form.init() if init == "auto" else init
    if name not in (names := catalogue.names("init")):
        raise BadInput(f"model.init {init!r} is not known: use {', '.join(names)}.")
    if reason := form.refuses(name):
        raise BadInput(f"model.init {name!r}: {reason}.")
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
def initialise(
    model: nn.Module, roles: dict[str, str], form: Form, sites: list[Site], init: str, seed: int, within: str = ""
) -> None:
    """Draw every matrix of `model`; gains, gates, mixing weights and n-grams keep what they begin with.

    So do the parameters of modules that say no role, but for linear ones: their weights are drawn as a head's, and
    their biases begin at 0. What has no memory (`torch.device("meta")`) is left for `load_state_dict`. `within` stands
    before the names: that of the model inside of another one.
    """
    rule: Rule = catalogue.resolve("init", chosen(init, form))
    at = _by_name(sites)
    biases = {f"{name}.bias" for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    for name, parameter in model.named_parameters():
        role = roles[name]
        kind = role.split(".")[0]
        if name in biases:
            parameter.zero_()
        if kind not in DRAWN or role.startswith("embedding.") or parameter.dim() < 2 or parameter.is_meta:
            continue
        std = rule(role, (len(parameter), parameter[0].numel()), sites[0].sublayers)
        if kind in ("attention", "feedforward"):
            block, *path = name.split(".")[1:]
            std *= form.init_scale(next(at[block, part] for part in path if (block, part) in at), role)
        elif role == "head" or (kind == "linear" and name.startswith("blocks.")):
            std *= form.init_scale(sites[-1], role)
        parameter.copy_(
            normal(within + name, tuple(parameter.shape), seed) * std if std else torch.zeros(parameter.shape)
        )
