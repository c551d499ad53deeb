"""Tensors on two devices are refused, and kinds of tensor that have no memory of their own are not read past."""

import pytest
import torch
from arrays import needs_kernels, normal
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from mainstem import Stack, catalogue, ops
from mainstem.errors import BadInput


def stack(name):
    return Stack(name, [nn.Linear(8, 8), nn.Linear(8, 8)], 8)


@pytest.mark.parametrize("name", catalogue.names("residual"))
def test_weights_on_the_meta_device_and_numbers_on_the_cpu_are_refused(name):
    try:
        stack(name)
    except BadInput as error:
        pytest.skip(f"no stack of foreign layers: {error}")
    with torch.device("meta"):
        model = stack(name)
    with pytest.raises(
        (BadInput, RuntimeError), match=r"is on meta, where weights have no numbers, and x on cpu: load its"
    ):
        model(torch.randn(2, 5, 8))


def test_a_kernel_says_so_before_it_reads():
    h, y = torch.randn(2, 5, 3, 8), torch.randn(2, 5, 8)
    with pytest.raises(BadInput, match=r"mix_streams was given tensors on cpu and on meta: move.*to_empty"):
        ops.mix_streams(h, torch.empty(3, 5, device="meta"), y)


X, ONE, HALF = normal((2, 3, 8)), torch.ones(4), torch.full((4,), 0.5)
EYE = torch.eye(8)
META = {
    "a gain": lambda: ops.self_attention(X, *[EYE] * 4, heads=2, gains=(ONE.to("meta"), ONE)),
    "angles": lambda: ops.self_attention(
        X, *[EYE] * 4, heads=2, gains=(ONE, ONE), angles=(torch.ones(3, 2, device="meta"),) * 2
    ),
    "a weight of a depth": lambda: ops.chained_depth_sum([X, X], torch.ones(2, device="meta")),
    "an array of a depth": lambda: ops.chained_depth_sum([X.to("meta"), X], torch.ones(2)),
}


@needs_kernels
@pytest.mark.parametrize("what", META)
def test_so_does_one_that_is_called_by_itself(what):
    with pytest.raises(BadInput, match=r"(self_attention|depth_sum) was given tensors on .*meta.*to_empty"):
        META[what]()


class Elsewhere(Tensor):
    """A tensor whose numbers lie in another one, as those of a sharded weight do."""

    @staticmethod
    def __new__(cls, inner):
        return Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype, requires_grad=inner.requires_grad)

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        args, kwargs = tree_map_only(Elsewhere, lambda tensor: tensor.inner, (args, kwargs or {}))
        return func(*args, **kwargs)


GAIN, HEADS = normal((8,)), normal((1, 2, 4, 8))
STREAMS, TABLE = normal((2, 3, 8)), normal((3, 5))
KINDS = {
    "rms_norm": lambda to: ops.rms_norm(X, to(GAIN), 1e-6),
    "dropout_add_norm": lambda to: ops.dropout_add_norm(X, X, to(GAIN), to(GAIN), eps=1e-6, norm="layer")[1],
    "activation": lambda to: ops.activation(X, kind="swiglu", gate=to(X.cos())),
    "feedforward": lambda to: ops.feedforward(X, to(EYE * 2), to(EYE), kind="relu2"),
    "attention": lambda to: ops.attention(HEADS, to(HEADS.cos()), to(HEADS.sin())),
    "self_attention": lambda to: ops.self_attention(X, *[to(EYE)] * 4, heads=2, gains=(to(HALF), to(HALF))),
    "mix_streams": lambda to: ops.mix_streams(STREAMS, to(TABLE), X[:, 0]),
    "step_streams": lambda to: ops.step_streams(STREAMS, to(TABLE))[1],
    "depth_sum": lambda to: ops.depth_sum([X, X.cos()], to(torch.tensor([0.5, 2.0]))),
    "chained_depth_sum": lambda to: ops.chained_depth_sum([X, to(X.cos())], to(torch.tensor([0.5, 2.0])))[0],
    "linear": lambda to: ops.linear(X, to(EYE * 3)),
}


@needs_kernels
@pytest.mark.parametrize("op", KINDS)
def test_a_kernel_reads_no_memory_of_a_tensor_whose_numbers_lie_elsewhere(op):
    """It was read as an array that is not there: a gain as 1, a table as a segmentation fault."""
    torch.testing.assert_close(KINDS[op](Elsewhere), KINDS[op](lambda tensor: tensor))
