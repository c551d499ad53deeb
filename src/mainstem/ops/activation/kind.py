"""What an activation is: its formula, whether it has a gate, and the kernel that computes it."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from ... import catalogue
from ...counter import constant


class Activation(ABC):
    """phi of a feed-forward sublayer W2 phi(W1 x), or of one with a gate, W2 phi(W1 x, Wg x). Abstract.

    The catalogue lists them under "feedforward"; a line there says "gated" too, since the width of a model depends on
    it before torch is there. Without a kernel PyTorch computes it, and its gradients. The classes are used as they are,
    without instances: graphs can look into them.

    Attributes:
        name: what the catalogue calls it.
        gated: whether it takes a gate.
        code: its number in kernels/activation_api.h, where there is a kernel.
        code_of_result: the number whose backward reads phi(x) in place of x, where there is one.

    Example:
        >>> named("relu2").formula(torch.tensor([-1.0, 3.0]), None)
        tensor([0., 9.])
    """

    name: ClassVar[str]
    gated: ClassVar[bool] = False
    code: ClassVar[int | None] = None
    code_of_result: ClassVar[int | None] = None

    @staticmethod
    @abstractmethod
    def formula(x: Tensor, gate: Tensor | None) -> Tensor:
        """Return phi, element by element; `gate` is None where there is none."""

    @staticmethod
    def slopes(g: Tensor, x: Tensor, gate: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the gradients of x and of the gate, of operations that have gradients themselves: for a kernel."""
        raise NotImplementedError("An activation with a kernel needs slopes for a gradient of its gradient.")

    @staticmethod
    def pays(dtype: torch.dtype, dropping: bool) -> bool:
        """Return whether one call of the kernel is faster than torch's own, and its dropout, one after the other."""
        return True


Kind = str | type[Activation]
"""An activation, or its name in the catalogue."""


def named(kind: Kind) -> type[Activation]:
    """Return the activation of a name, or raise `BadInput` with the nearest one."""
    if not isinstance(kind, str):
        return kind
    module, attribute = _place(kind)
    found: type[Activation] = getattr(sys.modules[module], attribute)
    return found


@constant  # a compiler can look into what a module holds, but not into how it is loaded
def _place(name: str) -> tuple[str, str]:
    found = catalogue.resolve("feedforward", name)
    return found.__module__, found.__qualname__


def of_code(code: int) -> type[Activation]:
    """Return the activation that the kernel has under this number."""
    return next(each for each in map(named, catalogue.names("feedforward")) if each.code == code)
