"""What every op that draws has in common: one argument says what it draws from, and None drops nothing."""

import inspect
import typing

import pytest
import torch

from mainstem import ops
from mainstem.counter import Draw

OPS = [name for name in ops.__all__ if inspect.isfunction(getattr(ops, name))]
DRAWING = ["activation", "attention", "drop_path", "dropout", "dropout_add_norm", "feedforward", "self_attention"]
PARTS = {"threshold", "draw", "samples", "seed", "step", "site", "rate", "p"}
"""What a mask is made of, one by one."""


@pytest.mark.parametrize("name", OPS)
def test_an_op_takes_a_mask_or_none_whole(name):
    signature = inspect.signature(getattr(ops, name))
    hints = typing.get_type_hints(getattr(ops, name))
    assert ("mask" in signature.parameters) == (name in [*DRAWING, "mask_bits"])
    if name in DRAWING:
        assert hints["mask"] == ops.Mask | None and signature.parameters["mask"].default is None
    assert name == "threshold" or not PARTS & set(signature.parameters)


def test_a_mask_is_a_value_that_is_given_flat_and_put_together_again():
    from mainstem.ops.mask import from_tensors, tensors

    mask = ops.Mask(ops.threshold(0.25), Draw(torch.tensor([1, 2, 3]), torch.arange(4)), 5)
    again = from_tensors(*tensors(mask), mask.site)
    assert again is not None and all(torch.equal(a, b) for a, b in zip(again.flat()[:3], mask.flat()[:3], strict=True))
    assert again.site == 5 and from_tensors(*tensors(None), 0) is None
    assert float(mask.scale(torch.device("cpu"))) == pytest.approx(4 / 3)
    x = torch.ones(4, 8)
    assert ops.dropout(x).equal(x) and not ops.dropout(x, mask).equal(x)


def test_what_a_compiled_graph_reads_has_no_property():
    """torch 2.10 compiles fields and methods of a NamedTuple, and no property: 26 tests of compiled graphs failed."""
    from mainstem.ops.attention.reference import Settings
    from mainstem.ops.layout import Layout

    for kind in (ops.Mask, Draw, Layout, Settings):
        assert issubclass(kind, tuple)
        assert not [name for name, value in vars(kind).items() if isinstance(value, property)], kind
