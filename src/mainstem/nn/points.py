"""Modules at the named points of a layer: how they are named, called, and known to do nothing.

The first dropout of elements at a point for which the layer has a kernel is its `dropout`; all others are named by
their point and what they are, such as `heads_dropout`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor, nn

from ..noise import Dropout, Noise
from .built import absent, as_built
from .context import Context
from .spec import Part

Names = dict[str, tuple[str, ...]]
Side = dict[str, Tensor]


def attach(layer: nn.Module, parts: Mapping[str, Sequence[Part]], fused: str, spec: object = None) -> Names:
    """Build the parts at each point on `layer`; return the names of those that are not its `dropout`, at `fused`."""
    names: Names = {}
    for point, specs in parts.items():
        for number, module in enumerate(part.build(spec) for part in specs):
            if point == fused and number == 0 and type(module) is Dropout:
                layer.dropout = module
                continue
            name = stem = f"{point}_{getattr(module, 'stem', None) or type(module).__name__.lower()}"
            count = 1
            while hasattr(layer, name):
                count += 1
                name = f"{stem}_{count}"
            layer.add_module(name, module)
            names[point] = (*names.get(point, ()), name)
    return names


def through(layer: nn.Module, names: Iterable[str], x: Tensor, ctx: Context, side: Side) -> Tensor:
    """Call the modules of `layer` that have these names in a row; what they publish goes into `side`."""
    for name in names:
        module = layer._modules.get(name)
        if module is None or absent(module):
            continue
        result = module(x, ctx) if getattr(module, "wants_context", False) else module(x)
        if isinstance(result, tuple):
            x, published = result
            side.update(published)
        else:
            x = result
    return x


def quiet(layer: nn.Module, names: Names, *points: str) -> bool:
    """Return whether nothing happens now at `points`, or at any point where none is given."""
    return all(_quiet(layer._modules.get(name)) for point in points or names for name in names.get(point, ()))


def _quiet(module: nn.Module | None) -> bool:
    return absent(module) or (isinstance(module, Noise) and as_built(module, type(module)) and not module.dropping)
