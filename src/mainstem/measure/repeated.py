"""A block that is called again with what it returned, as ALBERT's, found by its use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from .leaves import tensors


class Repeated:
    """Hooks on `candidates`, modules by name; the outermost that reads what it wrote is the block."""

    def __init__(self, candidates: Iterable[tuple[str, nn.Module]]) -> None:
        self._wrote: dict[str, Tensor] = {}
        self.times: dict[str, int] = {}
        """How often each module was given what it had returned, in the order of the model."""
        self._handles: list[Any] = []
        for name, module in candidates:
            self.times[name] = 0
            self._handles.append(module.register_forward_pre_hook(self._reads(name), with_kwargs=True))
            self._handles.append(module.register_forward_hook(self._writes(name)))

    def block(self) -> str | None:
        """Return the name of the block that was called repeatedly, or None."""
        return next((name for name, times in self.times.items() if times), None)

    def remove(self) -> None:
        """Remove the hooks, and let go of what was written."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._wrote.clear()

    def _reads(self, name: str) -> Any:
        def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            given = next(iter([*tensors(args), *tensors(list(kwargs.values()))]), None)
            wrote = self._wrote.get(name)
            if given is not None and given.numel() and wrote is not None and given.shape == wrote.shape:
                self.times[name] += given.data_ptr() == wrote.data_ptr()

        return hook

    def _writes(self, name: str) -> Any:
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            if written := tensors(output):
                self._wrote[name] = written[0].detach()

        return hook
