"""From what the embedding gives to what the head reads, by the runner that the situation asks for.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from torch import Tensor
from torch.nn.modules import module as modules

from ..nn import Context
from ..ops.gradient import observed
from ..stream import Reversible, State, Stream, leaves
from . import fused, plain, recompute, reversible
from .chain import Step, links
from .fused import Read, Rule
from .rules import RULES


def run(
    stream: Stream,
    blocks: Iterable[Step],
    x_BTD: Tensor,
    ctx: Context | None = None,
    *,
    recomputed: bool = False,
    rules: Sequence[Rule] = RULES,
    behind: Callable[[State], None] | None = None,
) -> Tensor:
    """Return ``stream.close(blocks(stream.open(x)))``: [B, T, D] -> [B, T, D].

    Args:
        recomputed: backward computes the activations of each block again.
        rules: which writes and reads become one call; with none of them each residual reads, computes and writes by
            itself.
        behind: is told the state behind the last block.

    Raises:
        BadInput: where a residual with another connection stands in a reversible stream.

    Example:
        >>> import torch
        >>> from mainstem.stream import Residual, Single
        >>> run(Single(), [Residual([torch.nn.Identity()])], torch.ones(1, 1, 2)).tolist()
        [[[2.0, 2.0]]]
    """
    state = stream.open(x_BTD)
    state, read = _through(stream, list(blocks), state, ctx, recomputed, rules)
    if behind is not None:
        behind(state)
    return stream.close(state) if read is None else read.x_BTD


def through(
    stream: Stream,
    blocks: Iterable[Step],
    state: State,
    ctx: Context | None = None,
    *,
    recomputed: bool = False,
    rules: Sequence[Rule] = RULES,
) -> State:
    """Return the state of `stream` behind `blocks`, as `run` does without opening and closing."""
    return _through(stream, list(blocks), state, ctx, recomputed, rules)[0]


def _through(
    stream: Stream, blocks: list[Step], state: State, ctx: Context | None, recomputed: bool, rules: Sequence[Rule]
) -> tuple[State, Read | None]:
    ctx = Context() if ctx is None else ctx
    # A compiler fuses by its own rules; transforms, modes and kinds of tensors look at every operator.
    seen = any(observed(leaf) for leaf in leaves(state.main)) or modules._has_any_global_hook()
    if isinstance(stream, Reversible):
        chain = reversible.chain(blocks)
        if not seen and reversible.possible(blocks, chain, state, ctx):
            return reversible.through(chain, state, ctx), None
    if recomputed:
        for block in blocks:
            state = recompute.again(_step(block, ctx, rules, seen), state)
        return state, None
    if seen:
        return plain.through(blocks, state, ctx), None
    return fused.through([link for block in blocks for link in links(block)], stream, state, ctx, rules)


def _step(block: Step, ctx: Context, rules: Sequence[Rule], seen: bool) -> Callable[[State], State]:
    """Return what a checkpoint calls; its chain ends with the block, as what it hands on is tensors alone."""
    if seen:
        return lambda state: block(state, ctx)
    chain = links(block)
    return lambda state: fused.through(chain, None, state, ctx, rules)[0]
