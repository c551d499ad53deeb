"""An optimizer that imports no compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class Light(torch.optim.Optimizer):
    """The methods that torch hides from its compiler, without the hiding, which imports the compiler to do so.

    That import takes 1.3 s at the start of every training. While something is compiled, torch's own methods run.
    """

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        _plain(super().add_param_group)(self, param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        _plain(super().zero_grad)(self, set_to_none)

    def state_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = _plain(super().state_dict)(self)
        return found

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        _plain(super().load_state_dict)(self, state_dict)


def _plain(method: Any) -> Callable[..., Any]:
    """Return the function behind a bound method, without its decorator where torch says what it wraps."""
    function = method.__func__
    return function if torch.compiler.is_compiling() else getattr(function, "__wrapped__", function)
