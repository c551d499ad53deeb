"""What torch's functions that draw are inside a scope of the counter.

Shapes: B samples, H heads, Q queries, C keys.
"""

from __future__ import annotations

import contextlib
import copy
import math
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from .. import counter, ops
from ..counter import WHOLE_BATCH, Draw, Scope
from ..errors import BadInput
from . import channels, frames, recurrent
from .rows import is_weight, whole

_CONTEXT = 4096
"""What queries and keys of attention are numbered by, so that padding changes no mask; longer ones by their number."""

_DRAW = frozenset({
    "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "normal", "normal_", "bernoulli",
    "bernoulli_", "uniform_", "exponential_", "multinomial", "poisson", "binomial", "geometric_", "cauchy_",
    "log_normal_", "random_", "rrelu", "rrelu_", "alpha_dropout", "alpha_dropout_", "feature_alpha_dropout",
    "feature_alpha_dropout_", "feature_dropout", "feature_dropout_", "native_dropout", "gumbel_softmax", "lstm", "gru",
    "rnn_tanh", "rnn_relu", "fractional_max_pool2d", "fractional_max_pool3d",
})  # fmt: skip
"""Functions that may draw from torch's generator, by name; whether one did, the generator says."""


_ASKS = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")
"""By which torch's functions ask whether a mode is to be handed the call."""

_BITS = {torch.float64: 32, torch.bfloat16: 8, torch.float16: 11}
"""How many bits a number in [0, 1) has for it not to be rounded to 1."""


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


def _attention(
    call: Calls, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Any:  # fmt: skip
    if dropout_p == 0:
        return NotImplemented
    queries, keys = query.shape[-2], key.shape[-2]
    four = query.dim() == 4 and len(query) == call.num_samples and not call.module.place.whole
    context = max(_CONTEXT, queries, keys) if four else None
    alike = key.shape == value.shape and query.shape[-1] == key.shape[-1] and (not is_causal or queries == keys)
    if four and attn_mask is None and alike and (enable_gqa or query.shape[1] == key.shape[1]):
        mask = call.mask(dropout_p)
        return ops.attention(query, key, value, mask, context=context, causal=is_causal, scale=scale)
    if enable_gqa:
        key, value = (t.repeat_interleave(query.shape[-3] // t.shape[-3], -3) for t in (key, value))
    score = query @ key.mT * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(queries, keys, dtype=torch.bool, device=query.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        score = score.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        score = score + attn_mask
    # A row that sees nothing is 0 for torch, and not a number for a softmax.
    blind = (score == -math.inf).all(-1, keepdim=True)
    weight = score.float().softmax(-1).to(query.dtype).masked_fill(blind, 0.0)
    return call.dropped(weight, dropout_p, 0, context) @ value


def _seen_inside(function: Any) -> Any:
    """Return torch's `function` with what it calls left to a mode, where the function itself would be handed to it."""
    own = {**function.__globals__, **dict.fromkeys(_ASKS, lambda *_: False)}
    return types.FunctionType(function.__code__, own, function.__name__, function.__defaults__)


def _by_parts(function: Any) -> Callable[..., Any]:
    """Return torch's `function` with what it calls by the counter."""
    seen = _seen_inside(function)

    def computed(call: Calls, *args: Any, **kwargs: Any) -> Any:
        with call.mode:
            return seen(*args, **kwargs)

    return computed


_multi_head_seen = _by_parts(F.multi_head_attention_forward)


def _multi_head(call: Calls, *args: Any, **kwargs: Any) -> Any:
    # Its weights lie samples first, whatever the layer's input does.
    inner = copy.copy(call.module)
    inner.place = copy.copy(inner.place)
    inner.place.batch_dim, inner.place.each = 0, args[4] if len(args) > 4 else kwargs["num_heads"]
    call.scope.running.append(call.scope.running[-1]._replace(module=inner, mode=None, opened=None))
    try:
        return _multi_head_seen(call, *args, **kwargs)
    finally:
        call.scope.running.pop()
        call.module.drew |= inner.drew


def _bernoulli_(call: Calls, input: Tensor, p: Any = 0.5, **rest: Any) -> Any:
    if rest or isinstance(p, Tensor) or not _has_samples(call, input.shape):
        return NotImplemented
    ones = torch.ones(input.shape, device=input.device)
    at = _samples_at(call, input.shape)
    return input.copy_(call.dropped(ones, 1 - p, 0 if at is None else at) != 0)


def _rand(call: Calls, *size: Any, **options: Any) -> Any:
    shape = size[0] if len(size) == 1 and isinstance(size[0], Sequence) else size
    shape = options.pop("size", shape)
    if options.get("generator") is not None or options.get("out") is not None:
        return NotImplemented
    if not all(isinstance(number, int) for number in shape) or not _has_samples(call, shape):
        return NotImplemented
    dtype = options.get("dtype") or torch.get_default_dtype()
    found = _uniform(call, shape, _BITS.get(dtype, 24)).to(dtype=dtype, device=options.get("device"))
    return found.requires_grad_(bool(options.get("requires_grad")))


def _uniform_(call: Calls, input: Tensor, *limits: float, **rest: Any) -> Any:
    low = limits[0] if limits else rest.pop("from", 0.0)
    high = limits[1] if len(limits) > 1 else rest.pop("to", 1.0)
    if rest or not _has_samples(call, input.shape):
        return NotImplemented
    found = _uniform(call, input.shape, _BITS.get(input.dtype, 24))
    return input.copy_(low + (high - low) * found)


def _rand_like(call: Calls, input: Tensor, **options: Any) -> Any:
    return _rand(call, *input.shape, **{"dtype": input.dtype, "device": input.device, **options})


def _has_samples(call: Calls, shape: Sequence[int]) -> bool:
    """Return whether there is one row for each sample, or one draw for all of them."""
    return call.module.place.whole or math.prod(shape) == 1 or _samples_at(call, shape) is not None


def _samples_at(call: Calls, shape: Sequence[int]) -> int | None:
    """Return the axis along which there is one row for each sample, or None where there is none."""
    place, axes = call.module.place, len(shape)
    # What has no sequence has its samples first, wherever they lie beside one.
    for at in (place.axis(axes), *((0,) if axes < 3 else ())):
        if not place.whole and -axes <= at < axes and shape[at] == call.num_samples:
            place.look(shape, call.num_samples)
            return at
    return None


def _uniform(call: Calls, shape: Sequence[int], bits: int) -> Tensor:
    """Return float64 numbers in [0, 1), each a multiple of 2^-bits; a row of `shape` for each sample, or one draw."""
    at = _samples_at(call, shape)
    samples = call.scope.draw.samples if at is not None else torch.tensor([WHOLE_BATCH])
    mask = call.mask(0.0, samples)
    key, index = mask.draw.key, torch.arange(math.prod(shape) // max(1, len(samples)))
    place, site = key[2] << 28 | key[1], torch.tensor(mask.site)
    words = counter.philox(index // 4, samples[:, None], place, site, *counter.key_words(key[0]))
    word = torch.stack(torch.broadcast_tensors(*words), -1)[:, torch.arange(len(index)), index % 4]
    drawn = (word >> (32 - bits)).to(torch.float64).div(1 << bits)
    if at is None:
        return drawn.view(tuple(shape))
    rest = [length for axis, length in enumerate(shape) if axis != at % len(shape)]
    return drawn.view(len(samples), *rest).movedim(0, at)


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


def in_words(unreached: Mapping[str, str]) -> list[str]:
    """Return a line for each module that is not reached.

    Example:
        >>> in_words({"encoder.rnn": "dropout between the layers of LSTM"})
        ['  encoder.rnn: dropout between the layers of LSTM']
    """
    return [f"  {name or 'the model itself'}: {why}" for name, why in unreached.items()]


_BY_COUNTER: dict[Any, Callable[..., Any]] = {
    F.dropout: _dropout, torch.dropout: _dropout, torch.dropout_: _dropout_,
    **{function: _by_parts(function) for function in (
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
    F.scaled_dot_product_attention: _attention, F.multi_head_attention_forward: _multi_head,
    Tensor.bernoulli_: _bernoulli_, Tensor.uniform_: _uniform_, torch.rand: _rand, torch.rand_like: _rand_like,
}  # fmt: skip
