"""The weights of a model as a mapping, each stored once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from .. import files
from ..errors import BadInput

Tensors = dict[str, Tensor]


def take(model: nn.Module) -> Tensors:
    """Return parameters and persistent buffers by qualified name, on the CPU; a tied tensor under its first name only.

    The tensors are copies: they keep their values while training goes on. One that is spread over processes stays
    spread, where it is.
    """
    return copies(_unique(model))


def copies(tensors: Mapping[str, Tensor]) -> Tensors:
    """Return copies of `tensors`, as `take` makes them."""
    return {name: _copy(tensor.detach()) for name, tensor in tensors.items()}


def check_shapes(model: nn.Module, given: Mapping[str, tuple[int, ...]], source: str, remedy: str = "") -> None:
    """Raise `BadInput` where the names or shapes `given` are not those that `take` returns for `model`."""
    wanted = {name: tuple(tensor.shape) for name, tensor in _unique(model).items()}
    for name in sorted(wanted.keys() | given.keys()):
        if wanted.get(name) != given.get(name):
            raise BadInput(
                f"{source}: {name!r} has shape {given.get(name, 'none')} where the model has "
                f"{wanted.get(name, 'none')}: these are another model's weights{remedy}."
            )


@torch.no_grad()
def put(model: nn.Module, tensors: Tensors, source: str, remedy: str = "") -> None:
    """Copy `tensors`, spread as the model is, into `model`; everything must fit, or nothing is copied and `BadInput` is
    raised."""
    check_shapes(model, {name: tuple(tensor.shape) for name, tensor in tensors.items()}, source, remedy)
    for name, tensor in _unique(model).items():
        if tensor.dtype != tensors[name].dtype:
            raise BadInput(
                f"{source}: {name!r} is {_kind(tensors[name])} where the model has {_kind(tensor)}: it is damaged, or "
                "has been converted. Give the file that was saved."
            )
    for name, tensor in _unique(model).items():
        _here(tensor).copy_(_here(tensors[name]))


def _copy(tensor: Tensor) -> Tensor:
    return tensor.clone() if hasattr(tensor, "to_local") else tensor.to("cpu", copy=True).contiguous()


def _here(tensor: Any) -> Tensor:
    """Return what of `tensor` lies in this process: a view."""
    found: Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return found


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _unique(model: nn.Module) -> Tensors:
    found: Tensors = {}
    seen = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            found[name] = tensor
    return found


def header(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes in a safetensors file, read without its tensors; a header beyond the file is refused."""
    _check(path)
    try:
        with safe_open(path, framework="pt") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from None


def metadata(path: Path) -> str:
    """Return what a safetensors file says of its tensors; nothing, where it says nothing."""
    _check(path)
    try:
        with safe_open(path, framework="pt") as opened:
            return str((opened.metadata() or {}).get("mainstem", ""))
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from None


def read(path: Path) -> Tensors:
    """Return the tensors of a safetensors file; its header is checked against its size before anything is allocated.

    Raises:
        BadInput: where the file is not there, cannot be read, or holds numbers that are not finite.
    """
    _check(path)
    try:
        found = load_file(path)
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from None
    for name, tensor in found.items():
        if not torch.isfinite(tensor).all():
            raise BadInput(
                f"{str(path)!r} holds weights that are not finite numbers, in {name!r}: its training came to nothing, "
                "or it is damaged. Train again with a smaller learning rate."
            )
    return found


def _check(path: Path) -> None:
    """Raise `files.Unusable` for what the library does not open: it would wait for a named pipe without end."""
    files.opened(path, "give the folder of a run that has been saved").close()
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise files.Unusable(
            path, "has a name that is no UTF-8, which safetensors does not open", "rename it"
        ) from None


def _unreadable(path: Path, error: Exception) -> BadInput:
    return BadInput(f"{str(path)!r} cannot be read ({error}): it is damaged, or no safetensors file.")
