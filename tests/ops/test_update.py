"""Updates of lists of tensors: against torch.optim and float64, threads, instruction sets, layouts, refusals."""

import copy

import pytest
import torch
from arrays import bits, needs_kernels, normal

from mainstem import ops
from mainstem.errors import BadInput
from mainstem.ops import library, update
from mainstem.ops.update import cpu, reference

SHAPES = [(1,), (), (7,), (0,), (131, 17), (3, 1, 5), (257, 129), (40000,), (0, 4)]
both = pytest.mark.parametrize("impl", ["reference", pytest.param("cpu", marks=needs_kernels)])
NUMBERS = {"betas": (0.8, 0.95), "eps": 1e-3, "average_decay": 0.7}


def tensors(dtype=torch.float32, scale=1.0):
    return [normal(shape, dtype).mul_(scale) for shape in SHAPES]


def state(dtype=torch.float32, moments=None, masters=False):
    """Return all that adamw takes, as after some steps."""
    params = tensors(dtype)
    made = {
        "params": params,
        "grads": [p.cos() for p in params],
        "exp_avgs": [(p * 0.3).to(moments or dtype) for p in params],
        "exp_avg_sqs": [(p.float() ** 2).to(moments or dtype) for p in params],
        "steps": [torch.full((), float(i % 3)) for i in range(len(params))],
        "rates": [0.01 * (i + 1) for i in range(len(params))],
        "decays": [0.1 * (i % 2) for i in range(len(params))],
        "averages": [p.float() * 0.5 for p in params],
    }
    return made | ({"masters": [p.float() + 1e-3 for p in params]} if masters else {})


def lists(held):
    return [t for name in sorted(held) if name not in ("rates", "decays") for t in held[name]]


def run(held, impl="cpu", **more):
    held = copy.deepcopy(held)
    update.adamw(**held, **NUMBERS, **more, impl=impl)
    return lists(held)


@both
def test_it_is_torchs_adamw_with_clipping_and_an_average(impl):
    theirs = [torch.nn.Parameter(w) for w in tensors(torch.float64)]
    ours = [w.detach().float() for w in theirs]
    firsts, seconds = ([torch.zeros_like(w) for w in ours] for _ in range(2))
    steps, decays = [torch.zeros(()) for _ in ours], [0.1 if w.ndim > 1 else 0.0 for w in ours]
    averages, followed = [w.clone() for w in ours], [w.detach().clone() for w in theirs]
    groups = [{"params": [w], "weight_decay": decay} for w, decay in zip(theirs, decays, strict=True)]
    optimizer = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95), eps=1e-6)
    for turn in range(5):
        grads = [w.cos() * (turn + 1) for w in ours]
        for w, grad in zip(theirs, grads, strict=True):
            w.grad = grad.double()
        expected = torch.nn.utils.clip_grad_norm_(theirs, 2.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(followed, theirs, 0.3)
        norm = update.norm(grads, impl=impl)
        torch.testing.assert_close(norm.double(), expected, rtol=1e-6, atol=0)
        update.adamw(
            ours, grads, firsts, seconds, steps, rates=[1e-2] * len(ours), decays=decays, betas=(0.9, 0.95), eps=1e-6,
            averages=averages, average_decay=0.7, norm=norm, max_norm=2.0, impl=impl,
        )  # fmt: skip
    assert {step.item() for step in steps} == {5.0}
    for found, right in ((ours, theirs), (averages, followed)):
        for a, b in zip(found, right, strict=True):
            torch.testing.assert_close(a.double(), b.detach(), rtol=2e-6, atol=2e-6)


@needs_kernels
@pytest.mark.parametrize("masters", [False, True])
@pytest.mark.parametrize("moments", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_kernel_and_reference_agree(dtype, moments, masters):
    if masters and dtype == torch.float32:
        pytest.skip("masters belong to half precision")
    held = state(dtype, moments, masters)
    extra = {"norm": torch.tensor(4.0), "max_norm": 3.0}
    for found, expected, before in zip(run(held, **extra), run(held, "reference", **extra), lists(held), strict=True):
        assert found.dtype == expected.dtype == before.dtype
        rough = 2**-7 if found.dtype == torch.bfloat16 or dtype == torch.bfloat16 else 1e-5
        torch.testing.assert_close(found, expected, rtol=rough, atol=rough / 10)


@both
def test_masters_keep_what_bfloat16_would_lose(impl):
    w, master = torch.ones(3, dtype=torch.bfloat16), torch.ones(3)
    for _ in range(8):
        update.step([w], [torch.ones(3)], keeps=[1.0], sizes=[2**-10], masters=[master], impl=impl)
    assert master.tolist() == [1 - 2**-7] * 3 and w.tolist() == master.tolist()
    for _ in range(8):
        update.step([w], [torch.ones(3)], keeps=[1.0], sizes=[-(2**-10)], impl=impl)
    assert w.tolist() == [1 - 2**-7] * 3  # rounded back each time


@both
def test_the_average_follows_what_is_stored(impl):
    w, average = torch.ones(2, dtype=torch.bfloat16), torch.zeros(2)
    update.step([w], [torch.ones(2)], keeps=[1.0], sizes=[-0.1], averages=[average], average_decay=0.0, impl=impl)
    assert average.tolist() == w.float().tolist() != [1.1, 1.1]


@needs_kernels
def test_threads_change_no_bit():
    held, runs = state(), []
    for threads in (1, 2, 3, 8):
        torch.set_num_threads(threads)
        norm = update.norm(held["grads"], impl="cpu")
        own, u = copy.deepcopy(held), copy.deepcopy(held["exp_avgs"])
        looks = update.momentum(u, held["grads"], momentum=0.9, norm=norm, max_norm=1.0, impl="cpu")
        update.step(own["params"], looks, keeps=own["decays"], sizes=own["rates"], averages=own["averages"], impl="cpu")
        runs.append([norm, *run(held, norm=norm, max_norm=1.0), *u, *looks, *lists(own)])
    for other in runs[1:]:
        assert all(bits(a).equal(bits(b)) for a, b in zip(runs[0], other, strict=True))


@needs_kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_instruction_sets_give_the_same_bits(dtype):
    runs = []
    for variant in library.loaded().variants.values():
        held = state(dtype)
        norm = cpu.run_norm(held["grads"], variant)
        cpu.run_adamw(
            *(held[n] for n in ("params", "grads", "exp_avgs", "exp_avg_sqs", "steps", "averages")), [],
            held["rates"], held["decays"], 0.9, 0.95, 1e-8, 0.99, norm, 1.0, variant,
        )  # fmt: skip
        looks = [torch.empty(w.shape) for w in held["params"]]
        cpu.run_momentum(held["exp_avgs"], looks, held["grads"], 0.9, norm, 1.0, variant)
        cpu.run_step(held["params"], looks, held["averages"], [], held["decays"], held["rates"], 0.5, variant)
        runs.append([norm, *looks, *lists(held)])
    for other in runs[1:]:
        assert all(bits(a).equal(bits(b)) for a, b in zip(runs[0], other, strict=True))


@both
def test_muons_passes_are_the_recurrence(impl):
    weights, grads = tensors(), tensors(scale=0.5)
    buffers, averages = tensors(scale=2.0), tensors(scale=0.1)
    right = [(w.double(), g.double() / 2, b.double(), a.double()) for w, g, b, a in zip(weights, grads, buffers, averages, strict=True)]  # fmt: skip # noqa: E501
    looks = update.momentum(buffers, grads, momentum=0.9, norm=torch.tensor(8.0), max_norm=4.0, impl=impl)
    count = len(weights)
    update.step(
        weights, looks, keeps=[0.9] * count, sizes=[0.2] * count, averages=averages, average_decay=0.6, impl=impl
    )
    for found, (w, g, b, a) in zip(zip(weights, looks, buffers, averages, strict=True), right, strict=True):
        buffer = 0.9 * b + 0.1 * g
        look = 0.1 * g + 0.9 * buffer
        weight = 0.9 * w - 0.2 * look
        for one, expected in zip(found, (weight, look, buffer, 0.6 * a + 0.4 * weight), strict=True):
            torch.testing.assert_close(one.double(), expected, rtol=1e-5, atol=1e-6)


@needs_kernels
def test_layouts_are_written_where_they_lie():
    dense = {name: [normal((5, 8)) * k] for k, name in enumerate(("params", "grads", "exp_avgs", "averages"), 1)}
    dense |= {"exp_avg_sqs": [normal((5, 8)) ** 2], "steps": [torch.ones(())], "rates": [0.1], "decays": [0.1]}
    wide = dense | {n: [torch.empty(8, 10).T[::2].copy_(dense[n][0])] for n in dense if n not in ("steps", "rates", "decays")}  # fmt: skip # noqa: E501
    wide["steps"] = [torch.ones(())]
    update.adamw(**dense, **NUMBERS, impl="cpu")
    update.adamw(**wide, **NUMBERS, impl="cpu")
    for a, b in zip(lists(dense), lists(wide), strict=True):
        assert a.equal(b)
    assert not wide["params"][0].is_contiguous()
    assert update.norm(wide["grads"]).equal(update.norm(dense["grads"]))


@both
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_bad_numbers_stay_in_their_elements_and_a_bad_norm_does_not_clip(bad, impl):
    w, g = torch.ones(20), torch.full((20,), 0.5)
    g[3] = bad
    norm = update.norm([g], impl=impl)
    assert bits(norm).equal(bits(torch.tensor(bad))) or norm.isnan() == g[3].isnan()
    first = torch.zeros(20)
    update.adamw([w], [g], [first], [torch.zeros(20)], [torch.zeros(())], rates=[0.1], decays=[0.0], betas=(0.5, 0.5),
                 eps=1e-8, norm=norm, max_norm=1e-3, impl=impl)  # fmt: skip
    assert w.isnan().nonzero().flatten().tolist() == [3]
    assert first[0] == 0.25


@both
def test_nothing_at_all(impl):
    assert update.norm([], impl=impl).item() == update.norm([torch.empty(0)], impl=impl).item() == 0.0
    update.adamw([], [], [], [], [], rates=[], decays=[], betas=(0.9, 0.9), eps=0.0, impl=impl)
    assert update.momentum([], [], momentum=0.9, impl=impl) == []
    update.step([], [], keeps=[], sizes=[], impl=impl)


@both
def test_the_norm_neither_overflows_nor_forgets_small_ones(impl):
    torch.testing.assert_close(update.norm([torch.full((4,), 1e30)], impl=impl), torch.tensor(2e30))
    torch.testing.assert_close(update.norm([torch.full((4,), 1e-30)], impl=impl), torch.tensor(2e-30))
    many = [torch.full((1 << 20,), 1e-4), torch.ones(1)]
    assert update.norm(many, impl=impl).item() == pytest.approx((1 + (1 << 20) * 1e-8) ** 0.5, rel=1e-7)


@needs_kernels
def test_a_graph_that_needs_the_weights_before_is_refused():
    w = torch.ones(3, requires_grad=True)
    loss = (w * w).sum()
    update.step([w.detach()], [torch.ones(3)], keeps=[1.0], sizes=[0.1], impl="cpu")
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@needs_kernels
def test_a_compiled_graph_changes_the_same_tensors():
    held, own = state(), state()

    def whole(held):
        norm = ops.update.norm(held["grads"])
        update.adamw(**held, **NUMBERS, norm=norm, max_norm=1.0)
        return held["params"][0] * 2

    torch._dynamo.reset()
    result = torch.compile(whole, fullgraph=True, backend="aot_eager")(held)
    assert result.equal(whole(own))
    for a, b in zip(lists(held), lists(own), strict=True):
        assert a.equal(b)


@needs_kernels
def test_the_operators_keep_torchs_contract():
    held = {name: value[4:6] for name, value in state().items()}
    names = ("params", "grads", "exp_avgs", "exp_avg_sqs", "steps", "averages")
    norm = torch.tensor(3.0)
    torch.library.opcheck(torch.ops.mainstem.update_norm.default, (held["grads"],))
    values = (held["rates"], held["decays"], 0.9, 0.95, 1e-8, 0.9, norm, 1.0)
    torch.library.opcheck(torch.ops.mainstem.update_adamw_.default, (*(held[n] for n in names), [], *values))
    torch.library.opcheck(
        torch.ops.mainstem.update_momentum_.default,
        (held["exp_avgs"], tensors()[4:6], held["grads"], 0.9, norm, 1.0),
    )
    numbers = (held["decays"], held["rates"], 0.9)
    arguments = (held["params"], held["grads"], held["averages"], [], *numbers)
    torch.library.opcheck(torch.ops.mainstem.update_step_.default, arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grads": [torch.ones(2)]}, r"grads\[0\] has shape \[2\], its parameter \[3\]"),
        ({"grads": []}, "grads has 0 items for 1 parameter:"),
        ({"grads": [torch.ones(3, dtype=torch.int64)]}, r"grads is torch\.int64"),
        ({"grads": [torch.ones(3).to_sparse()]}, "sparse"),
        ({"exp_avgs": [torch.zeros(3, dtype=torch.bfloat16)]}, "differ in dtype"),
        ({"steps": [torch.zeros(1)]}, "0-d float32"),
        ({"steps": [torch.zeros((), dtype=torch.int64)]}, r"torch\.int64"),
        ({"rates": [0.1, 0.1]}, "rates has 2 items"),
        ({"averages": [torch.zeros(3).bfloat16()]}, r"averages is torch\.bfloat16"),
        ({"averages": [torch.zeros(4)]}, r"averages\[0\] has shape \[4\]"),
        ({"masters": [torch.zeros(3)]}, "half precision"),
        ({"max_norm": -1.0}, "max_norm -1.0"),
        ({"max_norm": 1.0, "norm": torch.ones(2)}, r"shape \[2\]"),
        ({"impl": "triton"}, "triton"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(change, message):
    w = torch.ones(3)
    given = {
        "params": [w], "grads": [torch.ones(3)], "exp_avgs": [torch.zeros(3)], "exp_avg_sqs": [torch.zeros(3)],
        "steps": [torch.zeros(())], "rates": [0.1], "decays": [0.0], "betas": (0.9, 0.9), "eps": 0.0,
    }  # fmt: skip
    with pytest.raises(BadInput, match=message):
        update.adamw(**(given | change))
    assert w.equal(torch.ones(3))


def test_other_dtypes_run_on_the_reference():
    w = torch.ones(2, dtype=torch.float64)
    update.step([w], [torch.ones(2, dtype=torch.float64)], keeps=[1.0], sizes=[1e-12])
    assert (w < 1).all()
    assert update.norm([torch.ones(4, dtype=torch.float64)]).dtype == torch.float64
    assert reference.share(torch.tensor(4.0), 2.0) == 0.5
    with pytest.raises(BadInput, match=r"not torch\.float64"):
        update.norm([w], impl="cpu")
