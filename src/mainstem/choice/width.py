"""Sizes around what is given: widths that heads divide, contexts that a text has."""

from __future__ import annotations

from collections.abc import Collection

from .. import config
from .table import BATCHES, WINDOWS, Size


def around(size: Size, run: config.Run, given: Collection[str], tokens: int) -> Size:
    """Return `size` with the fields of `run` that are given, for a text of so many tokens."""
    model, batch = run.model, size.batch
    fixed = {
        name: getattr(model, name)
        for name in ("layers", "width", "context")
        if f"model.{name}" in given and getattr(model, name) is not None
    }
    batch = run.train.batch if "train.batch" in given else _whole(size.batch, run)
    found = size._replace(batch=batch, context=fitting(size.context, tokens))._replace(**fixed)
    if "width" not in fixed and "model.heads" in given and model.head_width is None:
        assert model.heads is not None
        return found._replace(width=-(-found.width // (2 * model.heads)) * 2 * model.heads)
    return found


def batched(size: Size, steps: int, run: config.Run, given: Collection[str], tokens: int) -> tuple[Size, str]:
    """Return `size`, of which so many `steps` fit, with the batch that the table has for that, and what it rests on."""
    passes = steps * size.context * size.batch / max(1, tokens)
    for row in BATCHES:
        if "train.batch" not in given and steps >= row.steps and row.low <= passes < row.high:
            return size._replace(batch=_whole(row.batch, run)), row.basis
    return size, size.basis


def _whole(batch: int, run: config.Run) -> int:
    """Return `batch`, or as many sequences more as make whole micro-batches, where their size is given."""
    parts = run.train.micro_batch or 1
    return -(-batch // parts) * parts


def fitting(context: int, tokens: int) -> int:
    """Return the context, halved until a text of so many tokens has `WINDOWS` windows of it.

    Example:
        >>> fitting(128, 10_000), fitting(128, 300), fitting(128, 5)
        (128, 32, 1)
    """
    while context > 1 and context * WINDOWS > tokens:
        context //= 2
    return context


def heads(width: int, run: config.Run, given: Collection[str]) -> int:
    """Return the number of heads for a width: of 32 numbers each up to a width of 256, and of 64 above, or as near as
    the fields that are given allow.

    Example:
        >>> run = config.load()
        >>> heads(128, run, ()), heads(384, run, ()), heads(100, run, ())
        (4, 6, 2)
    """
    model = run.model
    wanted = max(1, round(width / (32 if width <= 256 else 64)))
    groups = (model.kv_heads or 1) if "model.kv_heads" in given else 1
    if "model.head_width" in given and model.head_width:
        return groups * max(1, round(width / model.head_width / groups))
    rotated = 2 if model.positions == "rotary" else 1
    fit = [count for count in range(groups, width + 1, groups) if width % (rotated * count) == 0]
    return min(fit, key=lambda count: (abs(count - wanted), count), default=groups)
