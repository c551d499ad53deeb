"""The reversible stream without stored activations: backward runs the sublayers in reverse.

Each input is what came out, less the branch's output, computed again with the same masks. The forward is the plain
stack's bit for bit; gradients are equal up to the rounding of the reconstruction (1e-10 in float64), of which there is
none where the streams lie on a grid.
Shapes: B batch, T position, D width.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from .. import counter
from ..errors import BadInput
from ..form.bdia import Bidirectional
from ..nn import Context
from ..nn.built import as_built
from ..noise import replay
from ..stream import Block, Couple, Residual, State
from ..stream.given import tensors
from .chain import Step, is_open


def chain(blocks: Iterable[Step]) -> list[Residual]:
    """Return the residuals of `blocks` in order; raise `BadInput` where one of them has no reversible connection."""
    found = [part for block in blocks for part in _parts(block)]
    for residual in found:
        if not isinstance(residual, Residual) or not isinstance(residual.connection, Couple):
            raise BadInput(
                f"{type(residual).__name__} stands in a reversible stream but is no residual with a reversible "
                "connection: combine the form only with forms that leave stream and connection alone."
            )
    return found


def _parts(block: Step) -> list[Any]:
    return [block] if isinstance(block, Residual) else list(getattr(block, "children", list)())


def possible(blocks: Iterable[Step], residuals: Iterable[Residual], state: State, ctx: Context) -> bool:
    """Return whether activations need not be stored: they are asked for again, and every part is what was built.

    Arguments of layers get no gradient on the way back. Hooks of a block gather the weights of a sharded model, which
    backward would have to do again; and the gradient is that of our own classes, whatever a subclass writes.
    """
    return (
        ctx.cache is None
        and ctx.tally is None  # what is gathered on the way has a gradient of its own
        and torch.is_grad_enabled()
        and not any(each.requires_grad for each in tensors(ctx.given))
        and all(isinstance(block, Residual) or as_built(block, Block) for block in blocks)
        and all(is_open(residual) and _undoes(residual.connection, state) for residual in residuals)
    )


def _undoes(connection: nn.Module, state: State) -> bool:
    return as_built(connection, Couple, Bidirectional) and connection.undoes(state)


def through(residuals: list[Residual], state: State, ctx: Context) -> State:
    """Return the state behind `residuals`, which alone is kept."""
    run = _Run(residuals, ctx, tuple(state.side))
    given = (*state.main, *state.side.values())
    outputs = _Reverse.apply(run, *(t[..., :0].clone() for t in given), *given, *run.parameters)
    return State(outputs[:2], dict(zip(run.names, outputs[2:], strict=True)))


class _Run:
    """What backward must know of the forward, besides tensors."""

    def __init__(self, chain: list[Residual], ctx: Context, names: tuple[str, ...]) -> None:
        self.chain, self.ctx, self.names = chain, ctx, list(names)
        self.given = len(names)
        self.parameters = [p for residual in chain for p in residual.parameters() if p.requires_grad]
        self.scope = counter.current()
        self.calls: list[dict[str, int]] = []
        self.generators: list[list[tuple[torch.Generator, Tensor]]] = []
        self.published: list[list[str]] = []
        self.loses: list[bool] = []
        device = "cuda" if torch.is_autocast_enabled("cuda") else "cpu"
        self.autocast = (device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))

    def note(self) -> None:
        """Keep what the masks of the next residual depend on: our own of a counter, if any, others of generators."""
        self.calls.append({} if self.scope is None else dict(self.scope.calls))
        self.generators.append([(each, each.get_state()) for each in counter.generators()])

    @contextlib.contextmanager
    def again(self, number: int) -> Any:
        """Compute the residual `number` a second time as it was the first."""
        device, dtype, enabled = self.autocast
        noted = self.generators[number]
        now = [(each, each.get_state()) for each, _ in noted]
        with (
            torch.enable_grad(),
            torch.autocast(device, dtype=dtype, enabled=enabled),
            replay(self.scope, self.calls[number]),
        ):
            try:
                for each, state in noted:
                    each.set_state(state)
                yield
            finally:
                for each, state in now:
                    each.set_state(state)


class _Twice(torch.autograd.Function):
    """Hands `count` gradients on, and says of theirs that there is none; what they depend on stands behind them."""

    @staticmethod
    def forward(ctx: Any, count: int, *grads: Tensor) -> tuple[Tensor, ...]:
        return tuple(grad.view_as(grad) for grad in grads[:count])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        raise BadInput(
            "A gradient of a gradient was asked of a reversible stream, whose activations are computed back and have "
            "no second one: take it by torch.func, such as torch.func.hessian, where they are stored."
        )


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, run: _Run, *inputs: Tensor) -> tuple[Tensor, ...]:
        # Of each array first nothing of its numbers, by which a gradient knows what it depends on.
        count = 2 + run.given
        ends, (first, second, *rest) = inputs[:count], inputs[count:]
        side = dict(zip(run.names, rest, strict=False))
        state = State((first, second), side)
        kept: list[Tensor] = []
        for residual in run.chain:
            run.note()
            couple = residual.connection
            assert isinstance(couple, Couple)
            lost = couple.lost(state)
            run.loses.append(lost is not None)
            kept += [] if lost is None else [lost]
            before = set(state.side)
            state = residual(state, run.ctx)
            run.published.append([name for name in state.side if name not in before])
        run.names = list(state.side)
        ctx.run = run
        # A state that passed nothing through (an empty chain) must not return its inputs themselves.
        ctx.save_for_backward(
            *ends, *(t.detach() for t in state.main), *(state.side[name].detach() for name in run.names), *kept
        )
        return tuple(t.view_as(t) for t in (*state.main, *state.side.values()))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        with torch.no_grad():
            found = _Reverse.back(ctx, grads)
        if not torch.is_grad_enabled():
            return found
        # Somebody asked for a graph of the gradients. What is computed back has none, which must not pass for zero.
        whole = [grad for grad in found if grad is not None]
        run: _Run = ctx.run
        some = iter(_Twice.apply(len(whole), *whole, *ctx.saved_tensors[: 2 + run.given], *run.parameters))
        return tuple(None if grad is None else next(some) for grad in found)

    @staticmethod
    def back(ctx: Any, grads: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
        """Return the gradients of all inputs, for those of the outputs."""
        run: _Run = ctx.run
        given, count = 2 + run.given, 2 + len(run.names)
        stored = ctx.saved_tensors[given:]
        saved, kept = stored[:count], list(stored[count:])
        state = State(tuple(saved[:2]), dict(zip(run.names, saved[2:], strict=True)))
        zero = [torch.zeros_like(t) if g is None else g for g, t in zip(grads, saved, strict=True)]
        grad_first, grad_second = zero[:2]
        grad_side = dict(zip(run.names, zero[2:], strict=True))
        by_parameter: dict[Tensor, Tensor] = {}
        for number in reversed(range(len(run.chain))):
            lost = kept.pop() if run.loses[number] else None
            state, grad_first, grad_second = _step_back(
                run, number, lost, state, (grad_first, grad_second), grad_side, by_parameter
            )
        by_name = [grad_side[name] for name in run.names[: run.given]]
        return None, *[None] * given, grad_first, grad_second, *by_name, *_once(run.parameters, by_parameter)


def _once(parameters: list[nn.Parameter], grads: dict[Tensor, Tensor]) -> list[Tensor | None]:
    """Return each parameter's gradient at its first place: one that two residuals share must not count twice."""
    return [grads.pop(p, None) for p in parameters]


def _step_back(
    run: _Run,
    number: int,
    lost: Tensor | None,
    state: State,
    grads: tuple[Tensor, Tensor],
    grad_side: dict[str, Tensor],
    by_parameter: dict[Tensor, Tensor],
) -> tuple[State, Tensor, Tensor]:
    """Undo one residual: return the state before it and the gradients there, adding to the others in place."""
    residual = run.chain[number]
    couple = residual.connection
    assert isinstance(couple, Couple)
    new = run.published[number]
    old = {name: value for name, value in state.side.items() if name not in new}
    parameters = [p for p in residual.parameters() if p.requires_grad]
    with run.again(number):
        x = couple.unread(state).detach().requires_grad_()
        inputs = {n: v.detach().requires_grad_(v.is_floating_point()) for n, v in old.items()}
        y, side, *_ = residual.output(x, run.ctx.with_side(inputs))
        drawn = couple.drawn(x.shape[0])
    grad_kept, grad_written = grads
    into_y, into_first, into_second = couple.pull(grad_written, drawn)
    outputs = [y, *(side[name] for name in new)]
    into = [into_y.to(y.dtype), *(grad_side[name] for name in new)]
    live = [(o, g) for o, g in zip(outputs, into, strict=True) if o.requires_grad]
    wanted = [x, *(v for v in inputs.values() if v.requires_grad), *parameters]
    found = torch.autograd.grad([o for o, _ in live], wanted, [g for _, g in live], allow_unused=True)
    grad_x, *others = found
    for name, grad in zip([n for n, v in inputs.items() if v.requires_grad], others, strict=False):
        if grad is not None:
            grad_side[name] = grad_side[name] + grad
    for parameter, grad in zip(parameters, others[len(others) - len(parameters) :], strict=True):
        if grad is not None:
            by_parameter[parameter] = by_parameter[parameter] + grad if parameter in by_parameter else grad
    with torch.no_grad():
        before = couple.unwrite(state, y.detach(), drawn, lost)
    for more in (into_second, grad_x):
        grad_kept = grad_kept if more is None else grad_kept + more
    return State(before.main, old), torch.zeros_like(grad_kept) if into_first is None else into_first, grad_kept
