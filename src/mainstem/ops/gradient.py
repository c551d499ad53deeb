"""An op's gradient, for plain autograd and for torch.func alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..errors import BadInput

Setup = Callable[[Any, tuple[Any, ...], Any], None]


def transformed() -> bool:
    """Return whether a transform of torch.func runs."""
    return torch._C._are_functorch_transforms_active()


_PLAIN = (Tensor, torch.nn.Parameter)


def observed(x: Tensor, *others: Any) -> bool:
    """Return whether somebody looks at operators: a compiler, a dispatch mode, a transform or a kind of tensor.

    If nobody does, the function behind an operator may be called past torch's dispatcher, which takes 2 to 4 us. Of
    `others` only the kind is asked: a kernel would find no numbers where those of a sharded weight should lie.
    """
    if (
        type(x) is not Tensor
        or torch.compiler.is_compiling()
        or transformed()
        or torch._C._len_torch_dispatch_stack() > 0
    ):
        return True
    # A loop, as a generator costs more than what it asks.
    for each in others:  # noqa: SIM110
        if isinstance(each, Tensor) and type(each) not in _PLAIN:
            return True
    return False


def together(name: str, x: Tensor, *others: Any) -> None:
    """Raise `BadInput` where one of `others` is on another device than `x`: a kernel would read other memory, or none.

    Example:
        >>> together("dropout", torch.ones(1), torch.ones(2), 0.5, None)
    """
    for each in others:
        if isinstance(each, Tensor) and each.device != x.device:
            raise BadInput(
                f"{name} was given tensors on {x.device} and on {each.device}: move the model and its input to one "
                "device, and a model from the meta device by to_empty and its weights."
            )


def operator(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call of the operator `mainstem::name`, or of the `function` that it runs, as `observed` says."""
    known: Callable[..., Any] = getattr(torch.ops.mainstem, name)

    def call(x: Tensor, *rest: Any) -> Any:
        if observed(x, *rest):
            return known(x, *rest)
        together(name, x, *rest)
        return function(x, *rest)

    return call


def plain(function: type[torch.autograd.Function]) -> Callable[..., Any]:
    """Return `function.apply` for where no transform of torch.func runs.

    torch's own first looks through all arguments for wrappers that a transform left behind, at 3 us a call.
    """
    direct: Callable[..., Any] = super(torch.autograd.Function, function).apply  # type: ignore[misc]

    def apply(*inputs: Any) -> Any:
        return (function.apply if torch.compiler.is_compiling() else direct)(*inputs)

    return apply


def differentiable(
    forward: Callable[..., Any], setup: Setup, backward: Callable[..., Any], name: str
) -> Callable[..., Any]:
    """Return `forward` with a gradient: `setup(ctx, inputs, output)` keeps what `backward(ctx, *grads)` needs.

    Both are those of `torch.autograd.Function`. Only a function of the form with a separate setup_context passes
    through `torch.func`, and torch inspects its signature at every call, which costs a small op more than the rest of
    it; an operator of `torch.library.register_autograd` does not pass at all (torch 2.13). So there is one of each
    form, and the first is for where a transform runs. A profiler shows both as `name`.
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

    def plain_forward(ctx: Any, *inputs: Any) -> Any:
        output = forward(*inputs)
        setup(ctx, inputs, output)
        return output

    methods = {"forward": staticmethod(plain_forward), "backward": staticmethod(backward)}
    once = plain(type(name, (torch.autograd.Function,), methods))

    def call(*inputs: Any) -> Any:
        return (Transformed.apply if transformed() else once)(*inputs)

    return call


def shortened(forward: Callable[..., Any], setup: Setup, backward: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return `differentiable` of a `forward` that consists of torch's own operations.

    Its `backward` is only the faster one: where a transform runs, `forward` itself is what is transformed.
    """
    whole = differentiable(forward, setup, backward, name)

    def call(*inputs: Any) -> Any:
        return (forward if transformed() else whole)(*inputs)

    return call
