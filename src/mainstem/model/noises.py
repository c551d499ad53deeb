"""Where each noise of a model goes: into a sublayer, behind a branch, or around it."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from ..errors import BadInput
from ..nn import Spec
from ..noise import NoiseSpec, StochasticDepth
from ..stream import Site


def inside(spec: Spec, site: Site, noises: Iterable[NoiseSpec]) -> Spec:
    """Return `spec` with the noises that stand inside such a sublayer, at the rates of `site`.

    Raises:
        BadInput: one stands at a point that this sublayer does not have.
    """
    for noise in noises:
        place, _, point = noise.at.partition(".")
        if noise.drops and place == site.kind and point != "branch":
            spec = spec.having(point, noise.there(site))
    return spec


def behind(site: Site, noises: Iterable[NoiseSpec], grouped: bool) -> list[nn.Module]:
    """Return the modules at the end of the branch at `site`; `grouped`: where it is one of several in a residual.

    A noise that leaves out whole branches is among them only where the residual cannot: in a group, for one kind alone.
    """
    return [
        noise.there(site).build()
        for noise in noises
        if noise.drops and _ends(noise, site) and not (noise.skips and (noise.at == "branch" or not grouped))
    ]


def drop_path(last: Site, noises: Iterable[NoiseSpec], grouped: bool) -> StochasticDepth | None:
    """Return what leaves out the branch of a residual, of which `last` is the last sublayer, or None.

    Raises:
        BadInput: two noises would.
    """
    found = [n for n in noises if n.drops and n.skips and _ends(n, last) and (n.at == "branch" or not grouped)]
    if len(found) > 1:
        both = " and ".join(f"{type(noise).__name__} at {noise.at}" for noise in found)
        raise BadInput(
            f"{both} both leave out whole branches, which a residual does once: keep one of them (noise.depth of a "
            "configuration is Branches at branch)."
        )
    module = found[0].there(last).build() if found else None
    assert module is None or isinstance(module, StochasticDepth)
    return module


def _ends(noise: NoiseSpec, site: Site) -> bool:
    return noise.at in ("branch", f"{site.kind}.branch")
