"""What a loss asks a model for, seen in its gradient: the next token, or anything else.

Of a cross-entropy the gradient is p - 1 at the target, and at no other place is it below 0.

Shapes: B samples, T positions, V vocabulary; X and Y the axes of tokens, either of them positions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

_SAMPLES, _POSITIONS = 4, 256
Place = tuple[int, int]
"""The number of an output, and of one way to read its rows as those of tokens."""
_NOT_INPUT = ("label", "target", "mask", "type", "position")


def tokens(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    """Return the whole numbers [B, T] that a model is called with; None where there are none, or several.

    Example:
        >>> class Model(nn.Module):
        ...     def forward(self, ids, targets=None): ...
        >>> tokens(Model(), (torch.zeros(2, 3).long(), torch.ones(2, 3).long()), {}).sum().item()
        0
    """
    names = list(inspect.signature(model.forward).parameters)
    named = [*zip([*names, *[""] * len(args)], args, strict=False), *kwargs.items()]
    inputs = [value for name, value in named if not any(word in name for word in _NOT_INPUT)]
    found = [value for value in inputs if isinstance(value, Tensor) and value.dim() == 2
             and value.dtype in (torch.int64, torch.int32) and value.numel()]  # fmt: skip
    return found[0].detach() if len(found) == 1 else None


def listen(output: Any, ids_XY: Tensor, told: Callable[[Place, Tensor], None]) -> list[Any]:
    """Call `told(place, [targets, next tokens, those unlike the token itself])` when a gradient comes.

    Of everything in `output` with a row for each token: [X, Y, V], [Y, X, V], or the rows of either in one axis. Next
    tokens are looked for along both axes, as a model may be called with positions first. Returns the handles of the
    hooks.
    """

    def note(part: int, gradient: Tensor) -> None:
        ways = _ways(gradient.detach(), ids_XY)
        for number, (rows_BTV, ids_BT) in enumerate(ways):
            rows = rows_BTV[:_SAMPLES, : _POSITIONS // len(ways)]
            ids = ids_BT[:_SAMPLES, : _POSITIONS // len(ways)].to(rows.device)
            least, at = rows[:, :-1].min(-1)
            asked = least < 0
            ahead = asked & (at == ids[:, 1:])
            told((part, number), torch.stack([asked.sum(), ahead.sum(), (ahead & (at != ids[:, :-1])).sum()]))

    return [each.register_hook(partial(note, part)) for part, each in enumerate(_parts(output))
            if each.requires_grad and each.dim() in (2, 3) and each.shape[-1] > 2
            and each.numel() // each.shape[-1] == ids_XY.numel()]  # fmt: skip


def _ways(gradient: Tensor, ids_XY: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return the gradient's rows as [B, T, V] and the tokens as [B, T], in each way in which they may belong together.

    Example:
        >>> [list(rows.shape) for rows, _ in _ways(torch.zeros(6, 5), torch.zeros(2, 3))]
        [[2, 3, 5], [3, 2, 5], [2, 3, 5], [3, 2, 5]]
    """
    size = tuple(ids_XY.shape)
    turned, rows, found = size[::-1], tuple(gradient.shape[:-1]), []
    if rows != turned or rows == size:
        found.append(gradient.reshape(*size, -1))
    if rows != size or rows == turned:
        found.append(gradient.reshape(*turned, -1).transpose(0, 1))
    return [pair for rows in found for pair in ((rows, ids_XY), (rows.transpose(0, 1), ids_XY.mT))]


def _parts(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    held = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return [each for each in held if isinstance(each, Tensor)]
