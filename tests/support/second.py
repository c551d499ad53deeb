"""A second device that computes, made of torch's stand-in for backends in Python: its numbers lie on the CPU.

To be imported first, in a process of its own, as a process keeps its devices. A call with tensors of both devices ends
in torch's own error, as it does with an accelerator.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "second"
_MOVES = {"aten::copy_", "aten::_to_copy", "aten::_copy_from", "aten::_copy_from_and_resize"}
"""What may have tensors of both devices."""


class Second(Tensor):
    """A tensor on the second device, around one on the CPU."""

    raw: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, raw: Tensor) -> Second:
        place = {"strides": raw.stride(), "storage_offset": raw.storage_offset()}
        made = Tensor._make_wrapper_subclass(cls, raw.shape, **place, dtype=raw.dtype, device=f"{NAME}:0")
        made.raw = raw
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "mainstem":  # an op of ours runs as it does on any device, tensor by tensor
            with torch._C._DisableTorchDispatch():
                return func(*args, **(kwargs or {}))
        return _run(func, *args, **(kwargs or {}))


def _run(func: Any, *args: Any, **kwargs: Any) -> Any:
    name = func._schema.name
    given = [each for each in pytree.tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
    if name not in _MOVES and any(each.device.type == "cpu" and each.dim() for each in given):
        raise RuntimeError(f"Expected all tensors to be on the same device, but found {NAME}:0 and cpu in {name}!")
    to = kwargs.get("device")
    leaves = to is not None and torch.device(to).type == "cpu"
    changed = {"device": "cpu"} if to is not None else {}
    raw_args, raw_kwargs = pytree.tree_map(
        lambda each: each.raw if isinstance(each, Second) else each, (args, {**kwargs, **changed})
    )
    result = func(*raw_args, **raw_kwargs)
    if not func._schema.returns:
        return None
    if name.endswith("_") and not name.endswith("__"):
        return args[0]
    if name == "aten::_copy_from":
        return args[1]
    known = {id(each.raw): each for each in given if isinstance(each, Second)}
    return pytree.tree_map(
        lambda each: (
            (known.get(id(each)) if id(each) in known else Second(each))
            if isinstance(each, Tensor) and not leaves
            else each
        ),
        result,
    )


_setup_privateuseone_for_python_backend(NAME)
LIBRARY = torch.library.Library("_", "IMPL")
LIBRARY.fallback(_run, "PrivateUse1")
