"""Roles by use: what multiplies an activation is a matrix, whatever module holds it.

A forward is watched operator by operator. What is made of parameters alone (a view, a cast, a weight that is computed)
is still those parameters; what is made of an input is an activation.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from ..errors import BadInput
from ..modes import evaluating
from ..names import parameters
from .kinds import note_use
from .roles import untold

_PRODUCTS = {
    **dict.fromkeys(("mm", "bmm", "mv", "dot", "matmul", "linear", "convolution", "_convolution", "_trilinear"), 0),
    **dict.fromkeys(("_grouped_mm", "_scaled_mm", "_scaled_grouped_mm"), 0),
    **dict.fromkeys(("addmm", "addbmm", "baddbmm", "addmv"), 1),
}
"""Products of matrices, and which argument is the first factor: what is added before it is none."""

_TAKES = frozenset({"index", "index_select", "gather", "select", "slice", "narrow", "masked_select", "take", "unbind"})
"""Operators that take a part of their first argument, wherever the numbers of the part come from."""


def roles_by_use(model: nn.Module, *args: Any, **kwargs: Any) -> dict[str, str]:
    """Call ``model(*args, **kwargs)`` once, and let the roles of parameters that no type tells follow their use.

    A parameter that multiplies an activation as a matrix (also a part of it, its transpose, or a weight computed from
    it) is "linear", one that rows are looked up in is "embedding", and any other that meets an activation is a "scale".
    `optim.roles`, and with it groups, penalties and the table, go by what was found from then on. Parameters that a
    type or a module's own `roles()` tells keep their role. The model is called in evaluation, without gradients.

    Args:
        model: any module.
        args, kwargs: what it is called with; a single sample is enough, if it passes all parts.

    Returns:
        The role of each parameter that was told by its use, by qualified name.

    Raises:
        BadInput: the model and what it is called with lie on different devices.

    Example:
        >>> class Experts(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.up, self.gain = nn.Parameter(torch.ones(2, 3, 4)), nn.Parameter(torch.ones(2, 1, 4))
        ...     def forward(self, x):
        ...         return torch.einsum("btd,edf->ebtf", x, self.up) * self.gain[:, None]
        >>> roles_by_use(Experts(), torch.ones(1, 5, 3))
        {'up': 'linear', 'gain': 'scale'}
    """
    held = parameters(model)
    watched = _Watch()
    for name, parameter in held.named.items():
        watched.known[parameter] = frozenset([name])
    for given in tree_leaves((args, kwargs)):
        if isinstance(given, Tensor):
            watched.known[given] = None
    try:
        with evaluating(model), torch.no_grad(), watched:
            model(*args, **kwargs)
    except RuntimeError as error:
        given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor) and each.dim()]
        places = list(dict.fromkeys(str(each.device) for each in (*held.named.values(), *given)))
        if len(places) < 2:
            raise
        raise BadInput(
            f"The model and its input are on {' and on '.join(places)}: move them to one device, and a model from the "
            "meta device by to_empty and its weights."
        ) from error
    found, free = {}, untold(held)
    for name in held.named:
        if name in watched.used and name in free:
            path, _, own = held.origins[name][0].rpartition(".")
            found[name] = watched.used[name]
            note_use(held.modules[path], own, found[name])
    return found


class _Watch(TorchDispatchMode):
    """Notes how each parameter meets an activation: `used` is its role, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.known = WeakIdKeyDictionary()
        """The parameters that a tensor is made of, or None for an activation; a constant is neither."""
        self.used: dict[str, str] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = func._schema.name.rpartition("::")[2]
        looked_at = args[:1] if name in _TAKES or name.startswith("embedding") else args
        origins = [self.known[t] for t in tree_leaves((looked_at, kwargs)) if isinstance(t, Tensor) and t in self.known]
        made: frozenset[str] | None = frozenset().union(*(each for each in origins if each is not None))
        if None in origins or name.startswith("embedding"):
            self._meets(name, args, made or frozenset())
            made = None
        if origins:
            for tensor in tree_leaves((result, args[:1] if func._schema.is_mutable else ())):
                if isinstance(tensor, Tensor):
                    self.known[tensor] = made
        return result

    def _meets(self, name: str, args: Any, parts: frozenset[str]) -> None:
        factors: set[str] = set()
        if name in _PRODUCTS:
            for tensor in args[_PRODUCTS[name] : _PRODUCTS[name] + 2]:
                if isinstance(tensor, Tensor):
                    factors |= self.known.get(tensor) or frozenset()
        for part in parts:
            role = "linear" if part in factors else "embedding" if name.startswith("embedding") else "scale"
            if self.used.get(part) in (None, "scale"):
                self.used[part] = role
