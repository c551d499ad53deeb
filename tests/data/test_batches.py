import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mainstem.data import Tokens
from mainstem.data.batches import Plan, fetch, held_out_windows, num_windows
from mainstem.errors import BadInput


def tokens(count: int, documents: list[int] | None = None) -> Tokens:
    """Return tokens whose ids are their places."""
    return Tokens(np.arange(count, dtype="<u4"), np.array(documents or [0]), count, np.ones(count, np.int64))


plans = st.builds(
    lambda context, more, batch, seed: Plan(context + 1 + more, context, batch, seed),
    st.integers(1, 40), st.integers(0, 300), st.integers(1, 9), st.integers(0, 2**64 - 1),
)  # fmt: skip


@given(plan=plans, world=st.integers(1, 12), step=st.integers(1, 100))
def test_ranks_share_the_slots_without_rest(plan: Plan, world: int, step: int) -> None:
    shares = [plan.slots(step, rank, world) for rank in range(world)]
    assert [slot for share in shares for slot in share] == list(range(plan.batch)) == list(plan.slots(step))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(plan=plans, world=st.integers(1, 5))
def test_a_row_is_the_same_on_every_rank(plan: Plan, world: int) -> None:
    text = tokens(plan.num_tokens)
    whole = fetch(text, plan, 3, plan.slots(3))
    parts = [fetch(text, plan, 3, plan.slots(3, rank, world)) for rank in range(world)]
    for side in (0, 1):
        joined = torch.cat([part[side] for part in parts if len(part[side])])
        assert torch.equal(joined, whole[side])
    assert whole[0][:, 0].tolist() == [plan.window(3, slot) for slot in range(plan.batch)]


@given(plan=plans)
def test_an_epoch_sees_its_windows_once_and_without_overlap(plan: Plan) -> None:
    for epoch in (0, 1, 5):
        first = epoch * plan.windows
        starts = sorted(plan.window(1 + g // plan.batch, g % plan.batch) for g in range(first, first + plan.windows))
        assert {b - a for a, b in itertools.pairwise(starts)} <= {plan.context}
        assert starts[0] >= 0
        assert starts[-1] + plan.context < plan.num_tokens


def test_offsets_reach_every_token() -> None:
    plan = Plan(47, 10, 1, 0)
    seen = np.zeros(47, int)
    for step in range(1, 400):
        start = plan.window(step, 0)
        seen[start : start + 11] += 1
    assert seen.all()
    assert seen[10:37].min() > 0.5 * seen.max()


def test_seeds_have_orders_of_their_own() -> None:
    one, other = (Plan(10_000, 8, 64, seed).offsets(1, range(64)) for seed in (0, 1))
    assert np.count_nonzero(one == other) < 5
    assert np.array_equal(one, Plan(10_000, 8, 64, 0).offsets(1, range(64)))


def test_targets_are_the_inputs_moved_on_by_one() -> None:
    plan = Plan(1000, 16, 4, 0)
    x_BT, y_BT, documents_BT = fetch(tokens(1000), plan, 1, range(4))
    assert x_BT.dtype == y_BT.dtype == torch.int64
    assert x_BT.shape == y_BT.shape == (4, 16)
    assert x_BT.is_contiguous()
    assert y_BT.is_contiguous()
    assert torch.equal(y_BT, x_BT + 1)
    assert documents_BT is None


def test_documents_are_numbered_by_where_they_begin() -> None:
    plan = Plan(1000, 16, 4, 0)
    starts = [0, 3, 4, 500, 510]
    x_BT, _, documents_BT = fetch(tokens(1000, starts), plan, 2, range(4), documents=True)
    assert documents_BT is not None
    assert documents_BT.dtype == torch.int64
    assert documents_BT.tolist() == [[sum(i >= s for s in starts) - 1 for i in row] for row in x_BT.tolist()]


def test_what_is_not_in_the_plan_is_refused() -> None:
    plan = Plan(1000, 16, 4, 0)
    with pytest.raises(BadInput, match="Step 0 has no slots"):
        plan.window(0, 0)
    for slot in (-1, 4):
        with pytest.raises(BadInput, match=f"no slots .{slot},"):
            plan.window(1, slot)
    for rank, world in [(2, 2), (-1, 2), (0, 0)]:
        with pytest.raises(BadInput, match=f"Rank {rank} does not exist among {world}"):
            plan.slots(1, rank, world)
    with pytest.raises(BadInput, match="A text of 16 tokens is shorter than a window of 16"):
        Plan(16, 16, 4, 0)
    with pytest.raises(BadInput, match="batch of 0"):
        Plan(1000, 16, 0, 0)


@given(count=st.integers(0, 90), context=st.integers(1, 30), rows=st.integers(1, 4))
def test_every_token_with_a_predecessor_is_a_target_once(count: int, context: int, rows: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mainstem.data.batches._HELD_TOKENS", rows * context)
        windows = list(held_out_windows(tokens(count, [0, 7]), context, documents=True))
    targets: list[int] = []
    for x_BT, y_BT, documents_BT, weight_BT in windows:
        assert x_BT.shape == y_BT.shape == weight_BT.shape
        assert x_BT.shape[0] <= rows
        assert x_BT.shape[1] == context
        assert documents_BT is not None
        real = weight_BT == 1
        assert torch.equal(y_BT[real], x_BT[real] + 1)
        assert torch.equal(documents_BT, (x_BT >= 7).long())
        assert not weight_BT[~real].any()
        targets += y_BT[real].tolist()
    assert targets == list(range(1, count))


@given(count=st.integers(0, 90), context=st.integers(1, 30), stride=st.integers(1, 30), rows=st.integers(1, 4))
def test_overlapping_windows_have_each_target_once_behind_enough_tokens(
    count: int, context: int, stride: int, rows: int
) -> None:
    stride = min(stride, context)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mainstem.data.batches._HELD_TOKENS", rows * context)
        windows = list(held_out_windows(tokens(count, [0, 7]), context, stride=stride))
    targets: list[int] = []
    for x_BT, y_BT, _, weight_BT in windows:
        for x_T, y_T, weight_T in zip(x_BT, y_BT, weight_BT, strict=True):
            for place in (weight_T == 1).nonzero()[:, 0].tolist():
                before = x_T[: place + 1].tolist()
                target = int(y_T[place])
                assert before == list(range(target - len(before), target))
                assert len(before) > min(target - 1, context - stride)
                targets.append(target)
    assert targets == list(range(1, count))
    assert sum(map(len, (x_BT for x_BT, *_ in windows))) == num_windows(tokens(count), context, stride)


def test_a_part_of_tokens_knows_its_documents_and_bytes() -> None:
    text = Tokens(np.array([0, 1, 2, 0, 1, 1], np.uint8), np.array([0, 2, 4]), 9, np.array([1, 2, 3]))
    part = text.part(1, 5)
    assert part.ids.tolist() == [1, 2, 0, 1]
    assert part.documents.tolist() == [0, 1, 3]
    assert part.num_bytes == 8
    assert text.part(2, 5).documents.tolist() == [0, 2]
    assert len(text.part(3, 3)) == text.part(3, 3).num_bytes == 0
