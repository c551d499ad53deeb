"""Matrices that several processes need, each computed by one of them and sent to the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

Compute = Callable[[list[Tensor]], list[Tensor]]
"""What is made of matrices: as many of the same shapes."""


class Among(Protocol):
    """Processes that take a step together, as `train.World`."""

    @property
    def rank(self) -> int:
        """Which of them this is."""

    @property
    def size(self) -> int:
        """How many there are."""

    def gather(self, part: Tensor) -> list[Tensor]:
        """Return the `part` of each process, all of one length."""

    def exchange(self, parts: Sequence[Tensor], lengths: Sequence[int]) -> list[Tensor]:
        """Send each process its one of `parts`, and return what each has sent here: as many numbers as `lengths`."""


def owners(shapes: Sequence[torch.Size], size: int) -> list[int]:
    """Return which of `size` processes computes each matrix: the largest first, each by the least busy so far.

    A matrix of R x C with R <= C counts R * R * C, the multiplications of its Gram matrix. It is a function of the
    shapes alone, so that all processes agree without a word.

    Example:
        >>> shapes = [torch.Size([2, 2]), torch.Size([4, 8]), torch.Size([2, 2]), torch.Size([4, 4])]
        >>> owners(shapes, 2)
        [1, 0, 1, 1]
    """
    work = [shape.numel() * min(shape) for shape in shapes]
    loads, found = [0] * size, [0] * len(shapes)
    for index in sorted(range(len(shapes)), key=lambda i: -work[i]):
        found[index] = min(range(size), key=lambda rank: loads[rank])
        loads[found[index]] += work[index]
    return found


def shared(compute: Compute, matrices: list[Tensor], among: Among) -> list[Tensor]:
    """Return ``compute(matrices)``, of which each process computes its own and gets the others' from their owners.

    Every process has to ask, with the same matrices in the same order, of one dtype and on one device.
    """
    owned = [_of(owners([m.shape for m in matrices], among.size), rank) for rank in range(among.size)]
    lengths = [sum(matrices[i].numel() for i in each) for each in owned]
    made = _flat(compute([matrices[i] for i in owned[among.rank]]), matrices[0])
    part = torch.cat([made, made.new_zeros(max(lengths) - len(made))])
    found: dict[int, Tensor] = {}
    for each, length, flat in zip(owned, lengths, among.gather(part), strict=True):
        found |= zip(each, _shaped(flat[:length], [matrices[i].shape for i in each]), strict=True)
    return [found[i] for i in range(len(matrices))]


def shared_rows(compute: Compute, parts: list[Tensor], shapes: Sequence[torch.Size], among: Among) -> list[Tensor]:
    """Return the rows that lie here of what ``compute`` makes of whole matrices, of which the rows `parts` lie here.

    Each process has a share of the rows of each matrix, as `rows` says, and sends it to the owner, who sends back what
    the same rows have become: half of what it costs to have all of every matrix everywhere, twice. Every process has
    to ask, with the same shapes in the same order; `parts` are of one dtype and on one device.
    """
    size, here = among.size, among.rank
    owner = owners(shapes, size)
    mine = _of(owner, here)

    def share(index: int, rank: int) -> torch.Size:
        first, last = rows(shapes[index][0], rank, size)
        return torch.Size([last - first, *shapes[index][1:]])

    theirs = [[share(i, rank) for i in mine] for rank in range(size)]
    sent = [_flat([parts[i] for i in _of(owner, rank)], parts[0]) for rank in range(size)]
    got = among.exchange(sent, [sum(shape.numel() for shape in each) for each in theirs])
    held = [_shaped(flat, each) for flat, each in zip(got, theirs, strict=True)]
    made = compute([torch.cat(whole) for whole in zip(*held, strict=True)])
    back = [_flat([m[slice(*rows(len(m), rank, size))] for m in made], parts[0]) for rank in range(size)]
    own = [[share(i, here) for i in _of(owner, rank)] for rank in range(size)]
    found: dict[int, Tensor] = {}
    for rank, flat in enumerate(among.exchange(back, [sum(s.numel() for s in each) for each in own])):
        found |= zip(_of(owner, rank), _shaped(flat, own[rank]), strict=True)
    return [found[i] for i in range(len(parts))]


def rows(count: int, rank: int, size: int) -> tuple[int, int]:
    """Return the first row of process `rank` and the one behind its last, of `count`, as FSDP2 cuts a tensor.

    Example:
        >>> [rows(5, rank, 4) for rank in range(4)]
        [(0, 2), (2, 4), (4, 5), (5, 5)]
    """
    each = -(-count // size)
    return min(rank * each, count), min((rank + 1) * each, count)


def _of(owner: Sequence[int], rank: int) -> list[int]:
    """Return the matrices that process `rank` owns."""
    return [index for index, each in enumerate(owner) if each == rank]


def _flat(tensors: Sequence[Tensor], like: Tensor) -> Tensor:
    """Return all numbers of `tensors` in a row; none are of the kind of `like`."""
    return torch.cat([tensor.flatten() for tensor in tensors]) if tensors else like.new_empty(0)


def _shaped(flat: Tensor, shapes: Sequence[torch.Size]) -> list[Tensor]:
    """Return the tensors of these shapes whose numbers stand in `flat` in a row."""
    sizes = [shape.numel() for shape in shapes]
    return [part.view(shape) for part, shape in zip(flat.split(sizes), shapes, strict=True)]
