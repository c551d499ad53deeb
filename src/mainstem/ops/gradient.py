"""An op's gradient, for plain autograd and for torch.func alike. May import torch only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Setup = Callable[[Any, tuple[Any, ...], Any], None]


def differentiable(forward: Callable[..., Any], setup: Setup, backward: Callable[..., Any]) -> Callable[..., Any]:
    """Return `forward` with a gradient: `setup(ctx, inputs, output)` keeps what `backward(ctx, *grads)` needs.

    Both are those of `torch.autograd.Function`. Only a function of the form with a separate setup_context passes
    through `torch.func`, and torch inspects its signature at every call, which costs a small op more than the rest of
    it; an operator of `torch.library.register_autograd` does not pass at all (torch 2.13). So there is one of each
    form, and the first is for where a transform runs.
    """

    class Transformed(torch.autograd.Function):
        @staticmethod
        def forward(*inputs: Any) -> Any:
            return forward(*inputs)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
            setup(ctx, inputs, output)

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            return backward(ctx, *grads)

    class Plain(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            output = forward(*inputs)
            setup(ctx, inputs, output)
            return output

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            return backward(ctx, *grads)

    def call(*inputs: Any) -> Any:
        transformed = torch._C._are_functorch_transforms_active()
        return (Transformed if transformed else Plain).apply(*inputs)

    return call
