"""What a loss asks a model for, seen in its gradient: the next token, or anything else.

Of a cross-entropy the gradient is p - 1 at the target, and at no other place is it below 0.

Shapes: B samples, T positions, V vocabulary.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

_SAMPLES, _POSITIONS = 4, 256
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


def listen(output: Any, ids_BT: Tensor, told: Callable[[int, Tensor], None]) -> list[Any]:
    """Call `told(number of the output, [targets, next tokens, those unlike the token itself])` when a gradient comes.

    Of everything in `output` with a row for each token, [B, T, V] or [B * T, V]; returns the handles of the hooks.
    """

    def note(part: int, gradient: Tensor) -> None:
        rows = gradient.detach().reshape(*ids_BT.shape, -1)[:_SAMPLES, :_POSITIONS]
        ids = ids_BT[:_SAMPLES, :_POSITIONS].to(rows.device)
        least, at = rows[:, :-1].min(-1)
        asked = least < 0
        ahead = asked & (at == ids[:, 1:])
        told(part, torch.stack([asked.sum(), ahead.sum(), (ahead & (at != ids[:, :-1])).sum()]))

    return [each.register_hook(partial(note, part)) for part, each in enumerate(_parts(output))
            if each.requires_grad and each.dim() in (2, 3) and each.shape[-1] > 2
            and each.numel() // each.shape[-1] == ids_BT.numel()]  # fmt: skip


def _parts(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    held = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return [each for each in held if isinstance(each, Tensor)]
