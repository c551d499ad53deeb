"""The loop over a chain in which a write and what the next reader begins with may be one call.

Values are those of the algebra to rounding, masks to the bit. Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from ..nn import Context
from ..nn.built import as_built
from ..noise import Dropout
from ..stream import Residual, State, Stream
from ..stream.branch import Output
from ..stream.refusal import refuse, refuse_changed, version
from .chain import Link, Unfused


class Read(NamedTuple):
    """What a reader has read: `carry` is for its write; the first `done` modules of its branch have been computed."""

    x_BTD: Tensor
    carry: Any = None
    done: int = 0


Kept = dict[str, Any]
"""What a rule keeps from one write to the next, within one forward."""

Write = Callable[[State, Tensor, Any, Dropout | None, Kept], tuple[State, Read | None]]
"""(state, y, carry, dropout of y that is still due, kept) -> the state after the write, and what was read of it."""


class Fusion(NamedTuple):
    """A write, together with what comes behind it; with `takes_dropout` the branch's last dropout is part of it."""

    write: Write
    takes_dropout: bool = False


Rule = Callable[[Residual, Residual | Stream | None], Fusion | None]
"""(the writer, the reader of what it writes) -> how both are computed at once, or None where the rule does not fit.

A stream reads by closing: what was read is then what it closes to. No reader: nobody knows who reads.
"""


def through(
    chain: Sequence[Link], closing: Stream | None, state: State, ctx: Context, rules: Sequence[Rule]
) -> tuple[State, Read | None]:
    """Run `state` through `chain`; return the state behind it, and what `closing` is known to make of it."""
    kept: Kept = {}
    read: Read | None = None
    for here, then in zip(chain, [*chain[1:], closing], strict=True):
        if isinstance(here, Unfused):
            state = here.call(state, ctx)
            continue
        x_BTD, carry, done = Read(*here.connection.read(state)) if read is None else read
        fusion = _first(rules, here, None if isinstance(then, Unfused) else then)
        takes = fusion is not None and fusion.takes_dropout
        output, drop = _branch(here, x_BTD, ctx.with_side(state.side), done, takes)
        if fusion is None:
            state, read = here.connection.write(state, output.y, carry), None
        else:
            state, read = fusion.write(state, output.y, carry, drop, kept)
        state = state.with_side(output.side)
    return state, read


def _first(rules: Iterable[Rule], here: Residual, then: Residual | Stream | None) -> Fusion | None:
    for rule in rules:
        if (fusion := rule(here, then)) is not None:
            return fusion
    return None


def _branch(
    here: Residual, x_BTD: Tensor, ctx: Context, done: int, takes_dropout: bool
) -> tuple[Output, Dropout | None]:
    """Return what the branch makes of `x_BTD`, and its last dropout where the write takes that."""
    if not done and not takes_dropout:
        return here.output(x_BTD, ctx), None
    parts = here.branch.parts()[done:]
    drop = parts[-1] if takes_dropout and parts else None
    if not as_built(drop, Dropout) or drop.batch_dim != 0 or drop.inplace:  # in place, others may see what it does
        drop = None
    before = version(x_BTD)
    output = here.branch.run(parts if drop is None else parts[:-1], x_BTD, ctx)
    if not here.connection.replaces:
        refuse_changed(here.branch, x_BTD, before)
        refuse(here.branch, output.y, x_BTD)
    return output, drop
