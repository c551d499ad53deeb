"""Keep decisions: the worked example, the numbering of every layout, and the laws of a mask."""

import draws
import pytest
import torch
from arrays import LAYOUTS, draw, mask, needs_kernels

from mainstem import ops
from mainstem.counter import Draw, site_id
from mainstem.errors import BadInput
from mainstem.ops import library
from mainstem.ops.layout import layout
from mainstem.ops.mask_bits import cpu, reference

SITE = site_id("drop", "blocks.0.attn.out")
IMPLS = ["reference", pytest.param("cpu", marks=needs_kernels)]
both = pytest.mark.parametrize("impl", IMPLS)


def unpack(packed, columns):
    kept = (packed[..., None] >> torch.arange(8)) & 1
    return kept.flatten(-2)[..., :columns].bool()


def text(row):
    return "".join(str(int(bit)) for bit in row)


def test_the_worked_example_has_its_halves():
    where = layout((1, 2, 12), 0, None, draw(1), SITE)
    found = reference.halves(mask(0.3, draw(1), SITE), where, torch.device("cpu"))[0, 0]
    assert " ".join(f"{half:04x}" for half in found[0].tolist()) == (
        "cf16 5329 885b 3e02 a2d0 def0 9961 0d34 6f8d 17c1 07d1 3a81"
    )
    assert " ".join(f"{half:04x}" for half in found[1].tolist()) == (
        "5137 5c32 f40d 8585 0173 208a a2c1 c515 5294 4662 d25a 953d"
    )


@both
def test_the_worked_example_has_its_mask(impl):
    packed = ops.mask_bits((1, 2, 12), ops.Mask(ops.threshold(0.25), draw(1), SITE), impl=impl)
    assert packed.shape == (1, 2, 2)
    assert [text(row) for row in unpack(packed, 12)[0]] == ["111011101000", "111100111111"]
    assert not (packed[..., 1] & 0xF0).any()


@needs_kernels
@pytest.mark.parametrize(("shape", "batch_dim", "context"), LAYOUTS)
@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_the_kernel_gives_the_bits_of_the_reference(shape, batch_dim, context, rate):
    given = (shape, mask(rate, draw(shape[batch_dim]), SITE))
    expected = ops.mask_bits(*given, batch_dim=batch_dim, context=context, impl="reference")
    found = ops.mask_bits(*given, batch_dim=batch_dim, context=context, impl="cpu")
    assert found.dtype == torch.uint8
    assert found.shape == expected.shape == (*(shape if len(shape) == 1 else shape[:-1]), (_columns(shape) + 7) // 8)
    assert found.equal(expected)


def _columns(shape):
    return 1 if len(shape) == 1 else shape[-1]


@needs_kernels
@pytest.mark.parametrize("name", [] if isinstance(library.load(), str) else sorted(library.load().variants))
@pytest.mark.parametrize("seed", [0, -1, 0x0123456789ABCDEF])
def test_every_instruction_set_gives_the_same_bits(name, seed):
    for shape, batch_dim, context in LAYOUTS:
        own = draw(shape[batch_dim], seed=seed, step=(1 << 28) - 1, view=15, first=(1 << 32) - 16)
        where = layout(shape, batch_dim, context, own, SITE)
        found = cpu.run(ops.threshold(0.3), *own, SITE, where, library.load().variants[name])
        assert found.equal(reference.mask_bits(mask(0.3, own, SITE), where)), shape


@needs_kernels
@pytest.mark.parametrize("name", [] if isinstance(library.load(), str) else sorted(library.load().variants))
def test_rows_of_every_number_of_calls_have_the_same_bits(name):
    # Blocks of several vectors, of fewer, and the rest of one: up to twice the largest block of any instruction set.
    for calls in range(1, 70):
        where = layout((2, 8 * calls - calls % 8), 0, None, draw(2), SITE)
        found = cpu.run(ops.threshold(0.3), *draw(2), SITE, where, library.load().variants[name])
        assert found.equal(reference.mask_bits(mask(0.3, draw(2), SITE), where)), calls


@both
def test_an_element_is_numbered_by_its_row_and_column_within_its_sample(impl):
    shape, batch_dim = (3, 2, 4, 11), 1
    own = draw(2, view=3)
    threshold = ops.threshold(0.4)
    packed = ops.mask_bits(shape, ops.Mask(threshold, own, SITE), batch_dim=batch_dim, impl=impl)
    kept = unpack(packed, 11)
    for a, b, c, d in [(0, 0, 0, 0), (2, 1, 3, 10), (1, 0, 2, 8), (2, 0, 0, 7)]:
        half = draws.half(
            seed=0x0123456789ABCDEF, step=3, view=3, sample=5 + b, site=SITE, row=a * 4 + c, column=d, width=11
        )
        assert bool(kept[a, b, c, d]) == (half >= int(threshold))


@both
@pytest.mark.parametrize(("heads", "context"), [(8, 1 << 16), (13, 50_001)])
def test_positions_beyond_2_to_the_31_are_right(impl, heads, context):
    # Both all but fill the counter, and the second has no power of two that a float would carry.
    packed = ops.mask_bits((1, heads, 2, 19), ops.Mask(ops.threshold(0.5), draw(1), SITE), context=context, impl=impl)
    kept = unpack(packed, 19)
    where = {"seed": 0x0123456789ABCDEF, "step": 3, "view": 0, "sample": 5, "site": SITE, "width": context}
    for head in range(heads):
        for query in range(2):
            halves = [draws.half(row=head * context + query, column=column, **where) for column in range(19)]
            assert kept[0, head, query].tolist() == [half >= 32768 for half in halves]


@both
def test_padding_changes_no_attention_mask(impl):
    drawn = mask(0.3, draw(2), SITE)
    whole = unpack(ops.mask_bits((2, 3, 21, 21), drawn, context=21, impl=impl), 21)
    part = unpack(ops.mask_bits((2, 3, 10, 13), drawn, context=21, impl=impl), 13)
    assert part.equal(whole[:, :, :10, :13])


@both
def test_a_batch_has_the_masks_of_its_samples(impl):
    shape, threshold = (4, 3, 10), ops.threshold(0.3)
    own = Draw(draw(1).key, torch.tensor([7, 0, 9, 7]))
    whole = ops.mask_bits(shape, ops.Mask(threshold, own, SITE), impl=impl)
    for i in range(4):
        alone = Draw(own.key, own.samples[i : i + 1])
        assert ops.mask_bits((1, 3, 10), ops.Mask(threshold, alone, SITE), impl=impl)[0].equal(whole[i])
    order = torch.tensor([2, 0, 3, 1])
    mixed = ops.mask_bits(shape, ops.Mask(threshold, Draw(own.key, own.samples[order]), SITE), impl=impl)
    assert mixed.equal(whole[order])
    assert whole[0].equal(whole[3]) and not whole[0].equal(whole[1])


@both
def test_a_smaller_rate_drops_a_part_of_what_a_larger_one_drops(impl):
    masks = [ops.mask_bits((2, 999), ops.Mask(ops.threshold(rate), draw(2), 1), impl=impl) for rate in (0.1, 0.2, 0.7)]
    assert (masks[0] & masks[1]).equal(masks[1]) and not masks[0].equal(masks[1])
    assert (masks[1] & masks[2]).equal(masks[2])


@needs_kernels
@pytest.mark.parametrize("rate", [1 / 65536, 0.1, 0.5, 0.9])
def test_the_share_kept_is_that_of_the_rate(rate):
    draws_made = 1 << 22
    packed = ops.mask_bits((4, draws_made // 4), ops.Mask(ops.threshold(rate), draw(4), 2), impl="cpu")
    share = unpack(packed, draws_made // 4).double().mean()
    exact = 1 - int(ops.threshold(rate)) / 65536
    assert abs(share - exact) < 4 * (exact * (1 - exact) / draws_made) ** 0.5


@needs_kernels
def test_columns_are_independent_of_each_other():
    kept = unpack(ops.mask_bits((1, 1 << 14, 16), ops.Mask(ops.threshold(0.5), draw(1), 2), impl="cpu"), 16)[0].double()
    correlation = torch.corrcoef(kept.T) - torch.eye(16)
    assert correlation.abs().max() < 5 / 128


@both
@pytest.mark.parametrize("change", ["seed", "step", "view", "sample", "site"])
def test_each_part_of_the_counter_changes_the_mask(impl, change):
    def packed(site=3, sample=0, **key):
        return ops.mask_bits((1, 256), ops.Mask(ops.threshold(0.5), draw(1, first=sample, **key), site), impl=impl)

    assert not packed().equal(packed(**{change: 1}))


@needs_kernels
@pytest.mark.parametrize(
    ("threshold", "key", "sample", "message"),
    [
        (-1, (0, 0, 0), 0, "threshold"),
        (65537, (0, 0, 0), 0, "threshold"),
        (9, (0, 1 << 28, 0), 0, "step"),
        (9, (0, 0, 16), 0, "view"),
        (9, (0, 0, 0), 1 << 32, "sample"),
    ],
)
def test_numbers_that_would_be_cut_are_refused(threshold, key, sample, message):
    own = Draw(torch.tensor(key), torch.tensor([sample]))
    with pytest.raises(BadInput, match=message):
        ops.mask_bits((1, 4), ops.Mask(torch.tensor(threshold), own, 1), impl="cpu")


def test_the_kernel_can_be_traced():
    def count(threshold, key, samples):
        return ops.mask_bits((3, 2, 11), ops.Mask(threshold, Draw(key, samples), 1)).sum()

    own = draw(3)
    compiled = torch.compile(count, fullgraph=True, backend="aot_eager")
    assert compiled(ops.threshold(0.5), *own).equal(count(ops.threshold(0.5), *own))
