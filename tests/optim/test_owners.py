"""Who of several processes computes which matrix: a function of the shapes, fair, and the same result for all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mainstem.optim.orthogonal import orthogonalize_all
from mainstem.optim.owners import Compute, owners, rows, shared, shared_rows


@dataclass
class Threads:
    """Processes that are threads."""

    rank: int
    size: int
    board: list[list[Tensor]]
    barrier: threading.Barrier

    def gather(self, part: Tensor) -> list[Tensor]:
        return [each[0] for each in self._all([part])]

    def exchange(self, parts: Sequence[Tensor], lengths: Sequence[int]) -> list[Tensor]:
        found = [each[self.rank] for each in self._all(list(parts))]
        assert [len(part) for part in found] == list(lengths)
        return found

    def _all(self, own: list[Tensor]) -> list[list[Tensor]]:
        self.board[self.rank] = own
        self.barrier.wait(60)
        found = list(self.board)
        self.barrier.wait(60)
        return found


def in_threads(size: int, how: Callable[[Compute, Threads], list[Tensor]]) -> list[tuple[list[Tensor], int]]:
    """Return what each of `size` threads gets, and how many matrices it computed, each of which is doubled."""
    board: list[list[Tensor]] = [[]] * size
    barrier, found = threading.Barrier(size), [(list[Tensor](), 0)] * size

    def one(rank: int) -> None:
        computed: list[Tensor] = []

        def twice(given: list[Tensor]) -> list[Tensor]:
            computed.extend(given)
            return [2 * m for m in given]

        found[rank] = how(twice, Threads(rank, size, board, barrier)), len(computed)

    threads = [threading.Thread(target=one, args=(rank,), daemon=True) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=12), st.integers(1, 5))
def test_nobody_has_more_than_the_mean_and_one_matrix(shapes: list[tuple[int, int]], size: int) -> None:
    sizes = [torch.Size(shape) for shape in shapes]
    work = [shape.numel() * min(shape) for shape in sizes]
    found = owners(sizes, size)
    loads = [sum(w for w, owner in zip(work, found, strict=True) if owner == rank) for rank in range(size)]
    assert found == owners(sizes, size) and set(found) <= set(range(size))
    assert max(loads) <= sum(work) / size + max(work, default=0)


MATRICES = [torch.arange(3.0 * rows * columns).view(3, rows, columns)[1] for rows, columns in (
    (3, 5), (5, 3), (2, 2), (4, 4), (3, 5), (1, 6),
)]  # fmt: skip
MATRICES.append(torch.arange(12.0).view(6, 2).mT)  # which does not lie in its own order


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_all_have_what_one_computes_and_nothing_is_computed_twice(size: int) -> None:
    found = in_threads(size, lambda twice, among: shared(twice, MATRICES, among))
    assert sum(count for _, count in found) == len(MATRICES)
    for made, _ in found:
        assert all(own.equal(2 * m) for own, m in zip(made, MATRICES, strict=True))


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_rows_go_to_the_owner_and_come_back(size: int) -> None:
    shapes = [m.shape for m in MATRICES]
    here = [[m[slice(*rows(len(m), rank, size))] for m in MATRICES] for rank in range(size)]
    found = in_threads(size, lambda twice, among: shared_rows(twice, here[among.rank], shapes, among))
    assert sum(count for _, count in found) == len(MATRICES)
    for own, (made, _) in zip(here, found, strict=True):
        assert all(new.equal(2 * m) for new, m in zip(made, own, strict=True))


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_who_orthogonalises_a_matrix_changes_no_bit(size: int, dtype: torch.dtype) -> None:
    generator, width = torch.Generator().manual_seed(0), 48
    shapes = [(3 * width, width), (width, width), (4 * width, width), (width, 4 * width)] * 3  # of three blocks
    matrices = [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]
    whole = orthogonalize_all(matrices)  # as one process does
    owner = owners([m.shape for m in matrices], size)
    for rank in range(size):
        own = [index for index, each in enumerate(owner) if each == rank]
        made = orthogonalize_all([matrices[index] for index in own])
        assert all(one.equal(whole[index]) for index, one in zip(own, made, strict=True))


@given(st.integers(0, 40), st.integers(1, 9))
def test_rows_are_cut_as_torch_cuts_them(count: int, size: int) -> None:
    whole = torch.arange(count)
    chunks = [chunk.tolist() for chunk in whole.chunk(size)] if count else []
    chunks += [[]] * (size - len(chunks))
    assert [whole[slice(*rows(count, rank, size))].tolist() for rank in range(size)] == chunks
