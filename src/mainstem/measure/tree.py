"""The modules of a model by what is hooked on them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .blocks import branches, has_blocks, repeatable, stream
from .blocks import inside as inside_of
from .kinds import Convolution, is_activation, is_attention, is_linear, is_norm, is_residual


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
        kept: dict[tuple[int, bool], str] = {}
        self.shared = {
            name: kept.setdefault((id(part._parameters.get("weight", part)), isinstance(part, nn.Linear)), name)
            for name, part in self.linear
        }
        """For each linear layer the first with the same weight; a Conv1D of GPT-2 transposes it and counts alone."""
        self.convolution = [(name, module) for name, module in modules.items() if isinstance(module, Convolution)]
        self.positions_first = [
            (name, part) for name, part in modules.items() if getattr(part, "batch_first", None) is False
        ]
        self.activation = [(name, module) for name, module in modules.items() if is_activation(module)]
        self.norm = [(name, module) for name, module in modules.items() if is_norm(module)]
        self.weight = [(name, weight) for name, weight in model.named_parameters() if weight.dim() >= 2]
        self.nesting: list[Any] = [module for module in modules.values() if isinstance(module, nn.TransformerEncoder)]
        """torch's encoders, which in evaluation nest what is padded, and fail where a layer has a hook."""

    def storages(self) -> set[int]:
        """Return where the parameters lie now."""
        return {p.untyped_storage().data_ptr() for p in self.all[0][1].parameters() if type(p) is nn.Parameter}

    def rows(self, layer: str, values: list[Tensor]) -> list[Tensor]:
        """Return what a layer was given or gave, with each token in one row, and images as [B, C, H, W].

        Tokens are [B, T, D], or lie in a plane or a volume, [B, ..., D], and then follow one another; the streams of a
        residual of ours, [B, T, S, D], stand side by side in the row of their token. What convolutions make of a
        signal or a volume, [B, C, ...], is an image too, and so is one such without an axis of samples, [C, ...], in a
        batch of its own. Which of these it is the sizes of the layer's weights tell.
        """
        return [self._shapes[layer].rows(x) for x in values]


def image(x: Tensor) -> Tensor:
    """Return the channels [B, C, ...] of a convolution as those of an image, [B, C, H, W].

    Example:
        >>> import torch
        >>> [list(image(torch.zeros(2, 3, *[4] * axes)).shape) for axes in (1, 2, 3)]
        [[2, 3, 4, 1], [2, 3, 4, 4], [2, 3, 4, 16]]
    """
    return x[..., None] if x.dim() == 3 else x.flatten(3)


class _Shapes:
    """What is known of three axes or more by the parameters of a layer."""

    def __init__(self, layer: nn.Module) -> None:
        weights = list(layer.parameters())
        parts = list(layer.modules())
        self._sizes = {size for weight in weights for size in weight.shape[:2]}
        self._axes = {weight.dim() for weight in weights}
        self._channels = {(len(part.kernel_size), size) for part in parts if isinstance(part, Convolution)
                          for size in (part.in_channels, part.out_channels)}  # fmt: skip
        self._is_convolution = isinstance(layer, Convolution)
        self._last = {part.normalized_shape[-1] for part in parts if isinstance(part, (nn.LayerNorm, nn.RMSNorm))}
        self._streams = getattr(getattr(layer, "connection", None), "count", None)
        self._ours = is_residual(layer)

    def rows(self, x: Tensor) -> Tensor:
        """Return tokens in rows, or an image."""
        if self._is_alone(x):
            return image(x[None])
        if x.dim() == 4 and self._streams == x.shape[2]:
            return x.flatten(2)
        if x.dim() < 3 or self._streams is not None or not self._channels_first(x):
            return x.flatten(1, -2) if x.dim() > 3 else x
        return image(x)

    def _is_alone(self, x: Tensor) -> bool:
        """Return whether `x` is what a convolution reads or makes of one sample, [C, ...]."""
        if x.dim() < 2 or (x.dim() - 1, x.shape[0]) not in self._channels:
            return False
        # Of a batch as large as there are channels, some other axis is the width.
        return self._is_convolution or not self._sizes.intersection(x.shape[1:])

    def _channels_first(self, x: Tensor) -> bool:
        """Return whether the width is the second axis and not the last: by its size, where that is one of a weight."""
        second, last = x.shape[1] in self._sizes, x.shape[-1] in self._sizes
        if x.dim() > 3:
            return second if second != last else x.dim() in self._axes
        # Of three axes most are tokens, of which there may be as many as a convolution has channels.
        if self._ours or (1, x.shape[1]) not in self._channels:
            return False
        return not last or (2 not in self._axes and x.shape[2] not in self._last)
