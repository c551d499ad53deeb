"""One pass over all weights against torch's AdamW, its lerp and its clipping."""

import itertools

import pytest
import torch
from arrays import needs_kernels

from mainstem import ops
from mainstem.errors import BadInput
from mainstem.ops import library
from mainstem.ops.update import cpu

SHAPES = [(1,), (), (3, 5), (17,), (0,), (16385,), (129, 257)]
IMPLS = ["reference", pytest.param("cpu", marks=needs_kernels)]


def tensors(count, dtype=torch.float32, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return [[torch.randn(shape, generator=drawn, dtype=dtype) for shape in SHAPES] for _ in range(count)]


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_it_is_torchs_adamw_clipped_and_averaged(impl, decay):
    (weights,) = tensors(1)
    own = [w.clone() for w in weights]
    theirs = [w.clone().requires_grad_() for w in weights]
    torchs = torch.optim.AdamW(theirs, lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=decay)
    means, squares = ([torch.zeros_like(w) for w in own] for _ in range(2))
    averages, expected = ([w.clone() for w in own] for _ in range(2))
    for step in range(1, 6):
        (gradients,) = tensors(1, seed=step)
        for w, g in zip(theirs, gradients, strict=True):
            w.grad = g.clone()
        norm = torch.nn.utils.clip_grad_norm_(theirs, 1.0)
        torchs.step()
        torch._foreach_lerp_(expected, [w.detach() for w in theirs], 0.1)
        found = ops.total_norm(gradients, impl=impl)
        assert found.item() == pytest.approx(norm.item(), rel=1e-5)
        kept = [g.clone() for g in gradients]
        ops.update(
            own, gradients, means, squares, averages, lr=0.01, step=step, betas=(0.8, 0.95), eps=1e-6, decay=decay,
            share=1.0 / (found.item() + 1e-6), average_decay=0.9, impl=impl,
        )  # fmt: skip
        assert all(torch.equal(a, b) for a, b in zip(gradients, kept, strict=True))
    for a, b in zip(own + averages, theirs + expected, strict=True):
        torch.testing.assert_close(a, b.detach(), rtol=1e-5, atol=1e-6)
    for w, m, v in zip(theirs, means, squares, strict=True):
        torch.testing.assert_close(m, torchs.state[w]["exp_avg"], rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(v, torchs.state[w]["exp_avg_sq"], rtol=1e-5, atol=1e-7)


@needs_kernels
def test_every_instruction_set_and_number_of_threads_gives_the_same_bits(one_thread):
    outcomes = []
    for variant in library.load().variants.values():
        for threads in (1, 2, 5, 8):
            torch.set_num_threads(threads)
            weights, gradients, means, averages = tensors(4)
            squares = [m.square() for m in means]
            lists = weights, gradients, means, squares, averages
            cpu.run(*lists, 0.01, 0.9, 0.95, 1e-8, 0.1, 7.0, 0.3, 0.99, variant)
            norm = cpu.run_norm(gradients, variant)
            outcomes.append([t.clone() for part in lists for t in part] + [norm])
    for outcome in outcomes[1:]:
        assert all(torch.equal(a, b) for a, b in zip(outcome, outcomes[0], strict=True))


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_a_number_shows_where_it_is(impl, bad):
    weights, gradients = tensors(2)
    means, squares = ([torch.zeros_like(w) for w in weights] for _ in range(2))
    gradients[2][1, 1] = bad
    ops.update(weights, gradients, means, squares, lr=0.1, step=1, impl=impl)
    assert weights[2][1, 1].isnan()
    assert weights[2].isnan().sum() == 1
    assert all(w.isfinite().all() for i, w in enumerate(weights) if i != 2)
    assert not ops.total_norm(gradients, impl=impl).isfinite()


@pytest.mark.parametrize("impl", IMPLS)
def test_a_norm_is_not_lost_to_the_range_of_float32(impl):
    assert ops.total_norm([torch.full((4,), 1e30)], impl=impl).item() == pytest.approx(2e30)
    assert ops.total_norm([torch.full((4,), 1e-30)], impl=impl).item() == pytest.approx(2e-30)
    assert ops.total_norm([], impl="auto").item() == 0


def test_float64_takes_the_reference():
    lists = [[torch.ones(3, dtype=torch.float64)] for _ in range(4)]
    ops.update(*lists, lr=0.1, step=1)
    assert lists[0][0].dtype == torch.float64
    assert not torch.equal(lists[0][0], torch.ones(3, dtype=torch.float64))


def test_nothing_is_updated_by_nothing():
    ops.update([], [], [], [], lr=0.1, step=1)


@needs_kernels
def test_compiled_it_says_what_it_changes():
    def stepped(weights, gradients, means, squares):
        ops.update(weights, gradients, means, squares, lr=0.1, step=2, impl="cpu")
        return weights[0] * 2

    lists, same = tensors(4), tensors(4)
    for some in (lists, same):
        some[3] = [v.square() for v in some[3]]
    expected = stepped(*lists)
    found = torch.compile(stepped, backend="aot_eager", fullgraph=True)(*same)
    assert torch.equal(found, expected)
    assert all(torch.equal(a, b) for a, b in zip(itertools.chain(*same), itertools.chain(*lists), strict=True))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"means": [torch.zeros(3)]}, "means"),
        ({"averages": [torch.zeros(2), torch.zeros(2)]}, "averages"),
        ({"step": 0}, "step 0"),
        ({"lr": float("nan")}, "nan"),
        ({"betas": (1.0, 0.9)}, "1.0"),
        ({"decay": -1.0}, "-1.0"),
        ({"impl": "cpu", "weights": [torch.zeros(2, dtype=torch.float64)]}, "float64"),
        ({"impl": "triton"}, "triton"),
    ],
)
def test_what_does_not_fit_is_said(change, said):
    values = {name: [torch.zeros(2)] for name in ("weights", "gradients", "means", "squares")}
    with pytest.raises(BadInput, match=said):
        ops.update(**{"lr": 0.1, "step": 1, **values, **change})
