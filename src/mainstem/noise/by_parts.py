"""torch's functions that are computed by other ones of its own, with what they call left to a mode."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .functions import Calls

_ASKS = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")
"""By which torch's functions ask whether a mode is to be handed the call."""


def _seen_inside(function: Any) -> Any:
    """Return torch's `function` with what it calls left to a mode, where the function itself would be handed to it."""
    own = {**function.__globals__, **dict.fromkeys(_ASKS, lambda *_: False)}
    return types.FunctionType(function.__code__, own, function.__name__, function.__defaults__)


def by_parts(function: Any) -> Callable[..., Any]:
    """Return torch's `function` with what it calls by the counter."""
    seen = _seen_inside(function)

    def computed(call: Calls, *args: Any, **kwargs: Any) -> Any:
        with call.mode:
            return seen(*args, **kwargs)

    return computed
