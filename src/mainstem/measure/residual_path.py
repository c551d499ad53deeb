"""Whether the stream can pass a block unchanged, from the graph that autograd recorded."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import Any

from torch import Tensor

_PASSES = re.compile(
    r"add|sub|view|reshape|alias|transpose|permute|squeeze|clone|copy|expand|slice|select|cat|stack|where|index|"
    r"norm|dropout|mul|div|relu|contiguous|tback|split|chunk|unbind|roll|scale|native_batch|asstrided",
    re.IGNORECASE,
)
_STOPS = re.compile(r"addmm|addbmm|baddbmm|addmv|matmul|conv|silu|gelu|attention|embedding", re.IGNORECASE)
_MOST = 2000


def passes(before: Sequence[Any], after: Sequence[Tensor]) -> bool | None:
    """Return whether some way from `after` back to a graph node of `before` meets no matrix product and no attention.

    Additions, norms, dropout, scales and changes of shape are such a way, and a ReLU is; None where none is recorded,
    and where there are too many nodes to tell.
    """
    if not before or not any(tensor.grad_fn is not None for tensor in after):
        return None
    # The nearest first: a sum with the stream is at the end of a layer, whatever its branch is made of.
    waiting: deque[Any] = deque(tensor.grad_fn for tensor in after if tensor.grad_fn is not None)
    seen = set(waiting)
    while waiting and len(seen) < _MOST:
        node = waiting.popleft()
        if any(node is each for each in before):
            return True
        name = type(node).__name__
        if name == "AccumulateGrad" or _STOPS.search(name) or not _PASSES.search(name):
            continue
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)
    return None if waiting else False
