"""The modules of a model by what is hooked on them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .blocks import branches, has_blocks, repeatable, stream
from .blocks import inside as inside_of
from .kinds import is_activation, is_attention, is_linear, is_norm, is_residual


class Tree:
    """The modules of a model by what is hooked on them; found once a watch, and anew with a `block` that it repeats."""

    def __init__(self, model: nn.Module, block: str | None = None) -> None:
        modules = dict(model.named_modules())
        self.all = [(name, module, is_attention(module)) for name, module in modules.items()]
        self.block = block
        self.stream = [(name, modules[name]) for name in ([block] if block is not None else stream(model))]
        self._shapes = {name: _Shapes(module) for name, module in self.stream}
        self.blocks = block is not None or has_blocks(model)
        self.repeatable = [] if self.blocks else repeatable(model)
        inside = branches(model, [name for name, _ in self.stream])
        ours = {name for name, _ in self.stream if is_residual(modules[name])}
        # A residual of ours says where its branch is; in other layers the sum does.
        self.branch = [(name, modules[name], modules[layer]) for name, layer in inside.items() if layer in ours]
        self.sums = {name for name, _ in self.stream if name not in ours}
        self.inside = [
            (name, part, module) for name in sorted(ours) for part, module in inside_of(modules[name]).items()
        ]
        self.weighted = {
            name for name, part in modules.items() if not is_norm(part) and any(True for _ in part.parameters())
        }
        self.linear = [(name, module) for name, module in modules.items() if is_linear(module)]
        self.activation = [(name, module) for name, module in modules.items() if is_activation(module)]
        self.norm = [(name, module) for name, module in modules.items() if is_norm(module)]
        self.weight = [(name, weight) for name, weight in model.named_parameters() if weight.dim() >= 2]
        self.nesting: list[Any] = [module for module in modules.values() if isinstance(module, nn.TransformerEncoder)]
        """torch's encoders, which in evaluation nest what is padded, and fail where a layer has a hook."""

    def storages(self) -> set[int]:
        """Return where the parameters lie now."""
        return {p.untyped_storage().data_ptr() for p in self.all[0][1].parameters() if type(p) is nn.Parameter}

    def rows(self, layer: str, values: list[Tensor]) -> list[Tensor]:
        """Return what a layer was given or gave, with each token in one row.

        Of four axes, the streams of a residual of ours, [B, T, S, D], stand side by side in the row of their token, and
        tokens that lie in a plane, [B, H, W, D], one after the other. An image, [B, C, H, W], stays as it is.
        """
        shapes = self._shapes[layer]
        return [x.flatten(*shapes.token(x)) if x.dim() == 4 and not shapes.image(x) else x for x in values]


class _Shapes:
    """What is known of four axes by the parameters of a layer."""

    def __init__(self, layer: nn.Module) -> None:
        weights = list(layer.parameters())
        self._sizes = {size for weight in weights for size in weight.shape[:2]}
        self._convolves = any(weight.dim() == 4 for weight in weights)
        self._streams = getattr(getattr(layer, "connection", None), "count", None)

    def token(self, x: Tensor) -> tuple[int, int]:
        """Return which axes become one."""
        return (2, 3) if self._streams == x.shape[2] else (1, 2)

    def image(self, x: Tensor) -> bool:
        """Return whether the width is the second axis and not the last: by its size, where that is one of a weight."""
        second, last = x.shape[1] in self._sizes, x.shape[3] in self._sizes
        return self._streams is None and (second if second != last else self._convolves)
