"""Two streams whose inputs are computed back from their outputs, so that no activation is stored.

May import counter, noise and its neighbours. Shapes: B batch, T position, D width.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from .. import counter
from ..errors import BadInput
from ..nn import Context
from ..noise import replay
from .connection import Connection
from .residual import Residual
from .state import State
from .stream import Block, Stream


class Couple(Connection):
    """(a, b) -> (b, a + F(b)): the additive coupling, whose two halves change places at each sublayer.

    Written for a pair of sublayers it is a' = a + F(b), b' = b + G(a').

    Source: Gomez et al. 2017 (1707.04585), equation 6.
    """

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main[1], None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        first, second = state.main
        return State((second, first + y_BTD), state.side)

    def unread(self, state: State) -> Tensor:
        """Return what `read` gave, from the state after the write."""
        x_BTD: Tensor = state.main[0]
        return x_BTD

    def unwrite(self, state: State, y_BTD: Tensor) -> State:
        """Return the state before the write."""
        second, written = state.main
        return State((written - y_BTD, second), state.side)

    def stream(self) -> Stream:
        return Reversible()


class Reversible(Stream):
    """Opens (x, x), closes the mean of the two, then `norm`.

    `through` stores the last state alone. Backward runs the sublayers in reverse: each input is what came out, less
    the branch's output computed again with the same masks. The forward is the plain stack's bit for bit; gradients
    are equal up to the rounding of the reconstruction (1e-10 in float64). Under `torch.compile`, while generating
    with a cache, and where a block or a residual has hooks (somebody is watching, or FSDP), the activations are
    stored as usual.
    """

    def __init__(self, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.norm = norm

    def open(self, x_BTD: Tensor) -> State:
        return State((x_BTD, x_BTD), {})

    def close(self, state: State) -> Tensor:
        x_BTD = 0.5 * (state.main[0] + state.main[1])
        return x_BTD if self.norm is None else self.norm(x_BTD)

    def through(self, blocks: Iterable[Block], state: State, ctx: Context, recompute: bool = False) -> State:
        blocks = list(blocks)
        chain = [residual for block in blocks for residual in _residuals(block)]
        # Hooks of blocks gather the weights of a sharded model, which backward would have to do again.
        watched = [*(block for block in blocks if isinstance(block, nn.Module)), *chain]
        hooked = any(module._forward_hooks or module._forward_pre_hooks for module in watched)
        if torch.compiler.is_compiling() or hooked or ctx.cache is not None or not torch.is_grad_enabled():
            return super().through(blocks, state, ctx)
        run = _Run(chain, ctx, tuple(state.side))
        parameters = [p for residual in chain for p in residual.parameters() if p.requires_grad]
        run.num_parameters = len(parameters)
        outputs = _Reverse.apply(run, *state.main, *state.side.values(), *parameters)
        return State(outputs[:2], dict(zip(run.names, outputs[2:], strict=True)))


def _residuals(block: Block) -> list[Residual]:
    found: list[Any] = [block] if isinstance(block, Residual) else list(getattr(block, "children", list)())
    for residual in found:
        if not isinstance(residual, Residual) or not isinstance(residual.connection, Couple):
            raise BadInput(
                f"{type(residual).__name__} stands in a reversible stream but is no residual with a reversible "
                "connection: combine the form only with forms that leave stream and connection alone"
            )
    return found


class _Run:
    """What backward must know of the forward, besides tensors."""

    def __init__(self, chain: list[Residual], ctx: Context, names: tuple[str, ...]) -> None:
        self.chain, self.ctx, self.names = chain, ctx, list(names)
        self.given = len(names)
        self.num_parameters = 0
        self.scope = counter.current()
        self.calls: list[dict[str, int]] = []
        self.seeds: list[Tensor] = []
        self.published: list[list[str]] = []
        device = "cuda" if torch.is_autocast_enabled("cuda") else "cpu"
        self.autocast = (device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))

    def note(self) -> None:
        """Keep what the masks of the next residual depend on."""
        if self.scope is not None:
            self.calls.append(dict(self.scope.calls))
        else:
            self.seeds.append(torch.get_rng_state())

    @contextlib.contextmanager
    def again(self, number: int) -> Any:
        """Compute the residual `number` a second time as it was the first."""
        device, dtype, enabled = self.autocast
        with torch.enable_grad(), torch.autocast(device, dtype=dtype, enabled=enabled):
            if self.scope is not None:
                with replay(self.scope, self.calls[number]):
                    yield
            else:
                with torch.random.fork_rng(devices=[]):
                    torch.set_rng_state(self.seeds[number])
                    yield


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, run: _Run, first: Tensor, second: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        side = dict(zip(run.names, rest, strict=False))
        state = State((first, second), side)
        for residual in run.chain:
            run.note()
            before = set(state.side)
            state = residual(state, run.ctx)
            run.published.append([name for name in state.side if name not in before])
        run.names = list(state.side)
        ctx.run = run
        # A state that passed nothing through (an empty chain) must not return its inputs themselves.
        ctx.save_for_backward(*(t.detach() for t in state.main), *(state.side[name].detach() for name in run.names))
        return tuple(t.view_as(t) for t in (*state.main, *state.side.values()))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        run: _Run = ctx.run
        saved = ctx.saved_tensors
        state = State(tuple(saved[:2]), dict(zip(run.names, saved[2:], strict=True)))
        zero = [torch.zeros_like(t) if g is None else g for g, t in zip(grads, saved, strict=True)]
        grad_first, grad_second = zero[:2]
        grad_side = dict(zip(run.names, zero[2:], strict=True))
        by_parameter: dict[Tensor, Tensor] = {}
        for number in reversed(range(len(run.chain))):
            residual = run.chain[number]
            state, grad_first, grad_second = _step_back(
                run, number, residual, state, (grad_first, grad_second), grad_side, by_parameter
            )
        parameters = [p for residual in run.chain for p in residual.parameters() if p.requires_grad]
        given = [grad_side[name] for name in run.names[: run.given]]
        return None, grad_first, grad_second, *given, *_once(parameters, by_parameter)


def _once(parameters: list[nn.Parameter], grads: dict[Tensor, Tensor]) -> list[Tensor | None]:
    """Return each parameter's gradient at its first place: one that two residuals share must not count twice."""
    return [grads.pop(p, None) for p in parameters]


def _step_back(
    run: _Run,
    number: int,
    residual: Residual,
    state: State,
    grads: tuple[Tensor, Tensor],
    grad_side: dict[str, Tensor],
    by_parameter: dict[Tensor, Tensor],
) -> tuple[State, Tensor, Tensor]:
    """Undo one residual: return the state before it and the gradients there, adding to the others in place."""
    couple = residual.connection
    assert isinstance(couple, Couple)
    new = run.published[number]
    old = {name: value for name, value in state.side.items() if name not in new}
    parameters = [p for p in residual.parameters() if p.requires_grad]
    with run.again(number):
        x = couple.unread(state).detach().requires_grad_()
        inputs = {n: v.detach().requires_grad_(v.is_floating_point()) for n, v in old.items()}
        y, side = residual.output(x, run.ctx.with_side(inputs))
    grad_kept, grad_written = grads
    outputs = [y, *(side[name] for name in new)]
    into = [grad_written.to(y.dtype), *(grad_side[name] for name in new)]
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
        before = couple.unwrite(state, y.detach())
    return State(before.main, old), grad_written, grad_kept if grad_x is None else grad_kept + grad_x
