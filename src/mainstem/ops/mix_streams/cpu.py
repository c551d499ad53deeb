"""Streams by the compiled kernel, as one operator with stages that may be left out.

Shapes: [..., S, D] streams, K = S + 2 weights of each stream.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor

from .. import library
from ..gradient import differentiable, observed, operator
from . import reference

MOST = 16
"""Streams that the kernel has room for."""
VECTOR = 16
"""Floats of the widest vector, of which the kernel's sums and scratch are whole ones."""
PARTS, FEWEST, MOST_TOKENS = 64, 4, 256
"""Sums over tokens are sums of sums, each over a chunk: some 64 chunks of 4 to 256 tokens."""


class Mix(ctypes.Structure):
    """`MainstemMix` of kernels/mix_api.h."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in (
            "tokens", "streams", "columns", "dtype", "weights_stride", "base_stride")),
        ("eps", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in (
            "h", "y", "next", "weights", "base", "project", "scales", "x", "out", "z", "inverse",
            "dnext", "dx", "dout", "dh", "dy", "dweights", "dbase", "parts", "sums")),
        ("chunk", ctypes.c_int64),
    ]  # fmt: skip


_kernels = {name: library.function(name, ctypes.POINTER(Mix), library.NUMBER) for name in ("mix", "mix_backward")}

_operators = torch.library.Library("mainstem", "FRAGMENT")
_operators.define(
    "mix_streams(Tensor h, Tensor? weights, Tensor? y, Tensor? base, Tensor? project, Tensor? scales, float eps)"
    " -> (Tensor, Tensor, Tensor, Tensor, Tensor)"
)
_operators.define(
    "mix_streams_backward(Tensor? dnext, Tensor? dx, Tensor? dout, Tensor h, Tensor next, Tensor? weights, Tensor? y,"
    " Tensor? base, Tensor? project, Tensor? scales, Tensor out, Tensor z, Tensor inverse, float eps)"
    " -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"
)


def _call(name: str, variant: int, held: dict[str, Tensor | None], h: Tensor, eps: float, chunk: int) -> None:
    """Call the kernel with `held`, the arrays by their names in `Mix`; empty ones count as absent, as does None."""
    streams, columns = h.shape[-2:]
    tokens = h.numel() // max(1, streams * columns)
    strides = (streams * (streams + 2) if t is not None and t.dim() > 2 else 0 for t in (held["weights"], held["base"]))
    mix = Mix(tokens, streams, columns, library.CODES[h.dtype], *strides, eps, chunk=chunk)
    for field, tensor in held.items():
        if tensor is not None:
            setattr(mix, field, tensor.data_ptr())
    _kernels[name](ctypes.byref(mix), variant)


def _outputs(
    h: Tensor, weights: Tensor | None, base: Tensor | None, project: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return room for next, x, out, z and inverse; what a stage that is left out would write is empty."""
    lead, streams = h.shape[:-2], h.shape[-2]
    nothing = h.new_empty(0)
    table = () if project is None else (*lead, streams, streams + 2)

    def room(shape: tuple[int, ...]) -> Tensor:
        return h.new_empty(shape if shape else 0, dtype=torch.float32)

    return (
        nothing if weights is None else torch.empty(h.shape, dtype=h.dtype, device=h.device),
        nothing if base is None else h.new_empty((*lead, h.shape[-1])),
        room(table), room(table), room(table[:-1]),
    )  # fmt: skip


def _contiguous(*tensors: Tensor | None) -> list[Any]:
    return [None if tensor is None else tensor.contiguous() for tensor in tensors]


def run(
    h: Tensor, weights: Tensor | None, y: Tensor | None, base: Tensor | None, project: Tensor | None,
    scales: Tensor | None, eps: float, variant: int = library.BEST,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Return next, x, out, tanh's arguments and 1 / rms of each stream; float32 weights, h and y on the host."""
    h, weights, y, base, project, scales = _contiguous(h, weights, y, base, project, scales)
    after, x, out, z, inverse = results = _outputs(h, weights, base, project)
    _call("mix", variant, {
        "h": h, "y": y, "next": h if weights is None else after, "weights": weights, "base": base, "project": project,
        "scales": scales, "x": None if base is None else x, "out": out, "z": z, "inverse": inverse,
    }, h, eps, 0)  # fmt: skip
    return results


def run_backward(
    dnext: Tensor | None, dx: Tensor | None, dout: Tensor | None, h: Tensor, after: Tensor, weights: Tensor | None,
    y: Tensor | None, base: Tensor | None, project: Tensor | None, scales: Tensor | None, out: Tensor, z: Tensor,
    inverse: Tensor, eps: float, variant: int = library.BEST,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Return the gradients of h, weights, y, base, project and scales; empty for what is not there."""
    held = _contiguous(dnext, dx, dout, h, after, weights, y, base, project, scales, out, z, inverse)
    dnext, dx, dout, h, after, weights, y, base, project, scales, out, z, inverse = held
    streams, columns = h.shape[-2:]
    tokens = h.numel() // max(1, streams * columns)
    chunk = min(max(-(-tokens // PARTS), FEWEST), MOST_TOKENS)
    table, wide = streams * (streams + 2), (streams + 2) * columns
    summed = -(-(wide + 3 * table) // VECTOR) * VECTOR
    sums = h.new_empty(summed, dtype=torch.float32)
    parts = sums.new_empty(-(-tokens // chunk), summed + -(-streams * columns // VECTOR) * VECTOR)
    dh, dweights, dy, dbase, _, _ = results = _gradients(h, weights, y, base, project, scales)
    _call("mix_backward", variant, {
        "h": h, "y": y, "next": h if weights is None else after, "weights": weights, "base": base, "project": project,
        "scales": scales, "out": out, "z": z, "inverse": inverse, "dnext": dnext, "dx": dx, "dout": dout,
        "dh": dh, "dy": dy, "dweights": dweights, "dbase": dbase, "parts": parts, "sums": sums,
    }, h, eps, chunk)  # fmt: skip
    of_project, of_weights, of_base, of_tanh, _ = sums.split([wide, *[table] * 3, summed - wide - 3 * table])
    if weights is not None and weights.dim() == 2:
        dweights = of_weights.view(streams, -1).clone()
    if base is not None and base.dim() == 2:
        dbase = of_base.view(streams, -1).clone()
    if project is None:
        return dh, dweights, dy, dbase, results[4], results[5]
    by_column = of_tanh.view(streams, -1).sum(0)
    dscales = torch.stack([by_column[:-1].sum(), by_column[-1]])
    return dh, dweights, dy, dbase, of_project.view(-1, columns).clone(), dscales


def _gradients(h: Tensor, *others: Tensor | None) -> tuple[Tensor, ...]:
    alike = (h.new_empty(0) if t is None else torch.empty(t.shape, dtype=t.dtype, device=t.device) for t in others)
    return torch.empty(h.shape, dtype=h.dtype, device=h.device), *alike


def _fake(
    h: Tensor, weights: Tensor | None, y: Tensor | None, base: Tensor | None, project: Tensor | None, *_: Any
) -> tuple[Tensor, ...]:
    return _outputs(h, weights, base, project)


def _fake_backward(
    dnext: Tensor | None, dx: Tensor | None, dout: Tensor | None, h: Tensor, after: Tensor, weights: Tensor | None,
    y: Tensor | None, base: Tensor | None, project: Tensor | None, scales: Tensor | None, *_: Any,
) -> tuple[Tensor, ...]:  # fmt: skip
    return _gradients(h, weights, y, base, project, scales)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *tensors, ctx.eps = inputs
    after, _, *saved = output
    ctx.save_for_backward(*tensors, after, *saved)
    ctx.mark_non_differentiable(*saved[1:])
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, dnext: Tensor | None, dx: Tensor | None, dout: Tensor | None, *_: Any) -> tuple[Any, ...]:
    *tensors, after, out, z, inverse = ctx.saved_tensors
    h, weights, y, base, project, scales = tensors
    # What a stage left out has no gradient, and neither has an output that nothing was made of.
    dnext, dx = None if weights is None else dnext, None if base is None else dx
    dout = None if project is None else dout
    if torch.is_grad_enabled():  # a gradient of a gradient needs a graph of operations that have one
        return *_again(tensors, ctx.eps, (dnext, dx, dout)), None
    # Not by `operator`: the gradient that it would ask, the first argument, may be None.
    found = (torch.ops.mainstem.mix_streams_backward if observed(h) else run_backward)(
        dnext, dx, dout, h, after, weights, y, base, project, scales, out, z, inverse, ctx.eps
    )
    return *(None if t is None else d for t, d in zip(tensors, found, strict=True)), None


def _again(tensors: list[Any], eps: float, upstream: tuple[Tensor | None, ...]) -> list[Tensor | None]:
    """Return the gradients by the reference's own graph, so that they have gradients too."""
    given = [index for index, tensor in enumerate(tensors) if tensor is not None]

    def compute(*values: Tensor) -> tuple[Tensor, ...]:
        whole: Any = list(tensors)
        for index, value in zip(given, values, strict=True):
            whole[index] = value
        h, weights, y, base, project, scales = whole
        outputs = reference.step_streams(h, weights, y, base, project, scales, eps)
        return tuple(o for o, d in zip(outputs, upstream, strict=True) if o is not None and d is not None)

    wanted = tuple(d for d in upstream if d is not None)
    _, pull, *_ = torch.func.vjp(compute, *(tensors[index] for index in given))
    result: list[Tensor | None] = [None] * len(tensors)
    for index, gradient in zip(given, pull(wanted), strict=True):
        result[index] = gradient
    return result


_operators.impl("mix_streams", run, "CPU")
_operators.impl("mix_streams_backward", run_backward, "CPU")
torch.library.register_fake("mainstem::mix_streams", _fake, lib=_operators)
torch.library.register_fake("mainstem::mix_streams_backward", _fake_backward, lib=_operators)


_forward = operator("mix_streams", run)
_differentiable = differentiable(_forward, _setup, _backward, "mix_streams")


def step_streams(
    h: Tensor, weights: Tensor | None, y: Tensor | None, base: Tensor | None, project: Tensor | None,
    scales: Tensor | None, eps: float,
) -> tuple[Tensor, Tensor | None, Tensor | None]:  # fmt: skip
    """Return what `reference.step_streams` returns, to rounding."""
    wide = (None if t is None else t.to(torch.float32) for t in (weights, base, project, scales))
    weights, base, project, scales = wide
    y = None if y is None else y.to(h.dtype)
    after, x, out, _, _ = _differentiable(h, weights, y, base, project, scales, eps)
    if base is None:
        return after, None, None
    return h if weights is None else after, x, base if project is None else out
