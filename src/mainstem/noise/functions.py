"""What torch's functions that draw are inside a scope of the counter."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from .. import counter, ops
from ..counter import Draw, Scope
from ..errors import BadInput
from . import attending, channels, frames, recurrent, uniform
from .by_parts import by_parts
from .rows import is_weight, whole

_DRAW = frozenset({
    "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "normal", "normal_", "bernoulli",
    "bernoulli_", "uniform_", "exponential_", "multinomial", "poisson", "binomial", "geometric_", "cauchy_",
    "log_normal_", "random_", "rrelu", "rrelu_", "alpha_dropout", "alpha_dropout_", "feature_alpha_dropout",
    "feature_alpha_dropout_", "feature_dropout", "feature_dropout_", "native_dropout", "gumbel_softmax", "lstm", "gru",
    "rnn_tanh", "rnn_relu", "fractional_max_pool2d", "fractional_max_pool3d",
})  # fmt: skip
"""Functions that may draw from torch's generator, by name; whether one did, the generator says."""


class Functions(TorchFunctionMode):
    """Computes functions that draw by the counter while a module that was taken over runs."""

    def __torch_function__(self, func: Any, _kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        scope = counter.current()
        if scope is None or not scope.running:
            return func(*args, **kwargs)
        # Of some torch computes without a word, from memory that is not there.
        if len({given.is_meta for given in args if isinstance(given, Tensor) and given.dim()}) > 1:
            raise BadInput(_apart(scope, args, kwargs))
        try:
            return self._called(scope, func, args, kwargs)
        except RuntimeError as error:
            if (why := _apart(scope, args, kwargs)) is not None:
                raise BadInput(why) from error
            raise

    def _called(self, scope: Scope, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if (by_counter := _BY_COUNTER.get(func)) is not None:
            found = by_counter(Calls(scope, self, func), *args, **kwargs)
            if found is not NotImplemented:
                return found
        name = getattr(func, "__name__", "")
        if name not in _DRAW:
            return func(*args, **kwargs)
        before = counter.drawn()
        result = func(*args, **kwargs)
        if counter.drawn() != before:
            _name(scope, name)
        return result


class Calls:
    """One call: from which module, in which scope, of which function."""

    def __init__(self, scope: Scope, mode: Functions, func: Any) -> None:
        self.scope, self.mode, self.func = scope, mode, func
        self._running = running = scope.running[-1]
        self.module, self.order = running.module, running.order

    def mask(self, rate: float, samples: Tensor | None = None) -> ops.Mask:
        """Return what this call draws from: the scope's samples, or others."""
        frame, around = frames.innermost(), self._running.frame
        if frame is not None and (around is None or around.held is not frame.held):
            frames.keep(frame)
            if frame.again is not None or not frames.repeat(frame, self._again):
                raise BadInput(
                    f"{self.module.name or 'the model'!r} drops in a function that checkpoint computes again and that "
                    "is no module, so what it would drop then cannot be told: put the function into a module."
                )
        self.module.drew = True
        draw = self.scope.draw if samples is None else Draw(self.scope.draw.key, samples)
        return ops.Mask(ops.threshold(rate), draw, counter.site_id("drop", self.scope.visit(self.module.site)))

    @contextlib.contextmanager
    def _again(self, frame: frames.Frame, scope: Scope) -> Iterator[None]:
        """Let the module run once more, in a recomputation that begins behind its hooks."""
        with counter.enter(scope), Functions() as mode:
            scope.running.append(self._running._replace(frame=frame, mode=mode, opened=None))
            try:
                yield
            finally:
                scope.running.pop()

    @property
    def num_samples(self) -> int:
        return len(self.scope.draw.samples)

    def dropped(
        self, x: Tensor, rate: float, batch_dim: int | None, context: int | None = None, of: Tensor | None = None
    ) -> Tensor:
        """Return dropout of `x`, whose samples lie along `batch_dim`; None: as `take_over` says.

        `of` is what is dropped, where `x` is not that itself.
        """

        def draws(samples: Tensor | None) -> ops.Mask:
            return self.mask(rate, samples)

        if is_weight(x if of is None else of):
            return whole(x, draws)
        return self.module.place.dropped(x, draws, self.num_samples, batch_dim, context)


def _dropout(call: Calls, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    if not training or p == 0:
        return input
    y = call.dropped(input, p, call.module.place.batch_dim)
    if not y.is_contiguous() or not input.is_contiguous():
        y = torch.empty_like(input).copy_(y)
    return input.copy_(y) if inplace else y


def _dropout_(call: Calls, input: Tensor, p: float, train: bool) -> Tensor:
    return _dropout(call, input, p, train, inplace=True)


def _name(scope: Scope, function: str) -> None:
    where = scope.running[-1].module.name or "the model"
    if f"{where}:{function}" in scope.noticed:
        return
    scope.noticed.add(f"{where}:{function}")
    warnings.warn(
        f"`{where}` drew from torch's generator by {function} inside noise.counter, so that it depends on how the "
        "batch is split and on what was drawn before",
        stacklevel=4,
    )


def _apart(scope: Scope, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """Return that the tensors of a call lie on different devices, or None where they do not."""
    found = [given for given in tree_leaves((args, kwargs)) if isinstance(given, Tensor) and given.dim()]
    places = list(dict.fromkeys(str(tensor.device) for tensor in found))
    if len(places) < 2:
        return None
    less = ", where tensors have no numbers" if "meta" in places else ""
    where = scope.running[-1].module.name or "the model"
    return (
        f"{where!r} was given tensors on {' and on '.join(places)}{less}: move the model and its input to one device, "
        "and a model from the meta device by to_empty and its weights."
    )


_BY_COUNTER: dict[Any, Callable[..., Any]] = {
    F.dropout: _dropout, torch.dropout: _dropout, torch.dropout_: _dropout_,
    **{function: by_parts(function) for function in (
        F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout,
    )},
    torch.feature_dropout: channels.dropping(False, True, False),
    torch.feature_dropout_: channels.dropping(False, True, True),
    torch.alpha_dropout: channels.dropping(True, False, False),
    torch.alpha_dropout_: channels.dropping(True, False, True),
    torch.feature_alpha_dropout: channels.dropping(True, True, False),
    torch.feature_alpha_dropout_: channels.dropping(True, True, True),
    torch.lstm: recurrent.layers, torch.gru: recurrent.layers,
    torch.rnn_tanh: recurrent.layers, torch.rnn_relu: recurrent.layers,
    F.scaled_dot_product_attention: attending.dot_product, F.multi_head_attention_forward: attending.multi_head,
    Tensor.bernoulli_: uniform.bernoulli_, Tensor.uniform_: uniform.uniform_, torch.rand: uniform.rand,
    torch.rand_like: uniform.rand_like,
}  # fmt: skip
