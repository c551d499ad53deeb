"""The named points of a model at which something may be dropped, and the axes of what flows there.

B batch, T position, D width, H heads, K head width, Q queries, C keys, F hidden width.
"""

from __future__ import annotations

import difflib

from ..errors import BadInput

POINTS = {
    "embedding.inputs": "BT",
    "embedding.tokens": "BTD",
    "embedding.out": "BTD",
    "attention.key_input": "BTD",
    "attention.value_input": "BTD",
    "attention.query": "BHTK",
    "attention.key": "BHTK",
    "attention.value": "BHTK",
    "attention.logits": "BHQC",
    "attention.weights": "BHQC",
    "attention.heads": "BHTK",
    "attention.out": "BTD",
    "attention.branch": "BTD",
    "feedforward.preactivation": "BTF",
    "feedforward.hidden": "BTF",
    "feedforward.out": "BTD",
    "feedforward.branch": "BTD",
    "branch": "BTD",
}
"""`inputs` is a number by which a token's row is multiplied: 0 hides the token, from n-grams too; `tokens` are the
rows before positions are added; `key_input` and `value_input` are what the matrices of keys and values read, and
`preactivation` what the activation is applied to, the gate where there is one; queries and keys are normalised and
rotated, values mixed; `logits` are scores before any is hidden; `heads` is what the heads read, side by side next;
`out` is what the sublayer returns, `branch` the end of its branch, behind the norms and factors of a residual form
(without a kind: of every one). Keys and values have the heads that are shared."""


def axes(point: str) -> str:
    """Return the axes of what flows at `point`.

    Raises:
        BadInput: there is no such point.

    Example:
        >>> axes("attention.weights")
        'BHQC'
    """
    if point not in POINTS:
        near = difflib.get_close_matches(point, POINTS, 1)
        remedy = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(POINTS)}."
        raise BadInput(f"There is no point {point[:60]!r} at which something is dropped: {remedy}")
    return POINTS[point]
