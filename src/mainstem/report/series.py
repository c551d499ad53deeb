"""A curve of any length in bounded memory.

Rows come in one at a time. When `capacity` bins are full, neighbours are merged and each bin takes twice as many rows
from then on; mean, smallest and largest value of every bin are exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Sums = list[float]  # number of values, their sum, the smallest, the largest


@dataclass
class Bin:
    """Consecutive rows: how many, the sum of their positions, and each column's sums."""

    rows: int = 0
    total: float = 0.0
    columns: dict[str, Sums] = field(default_factory=dict)

    @property
    def x(self) -> float:
        return self.total / self.rows

    def mean(self, name: str) -> float | None:
        sums = self.columns.get(name)
        return None if sums is None else min(max(sums[1] / sums[0], sums[2]), sums[3])

    def low(self, name: str) -> float | None:
        return self.columns[name][2] if name in self.columns else None

    def high(self, name: str) -> float | None:
        return self.columns[name][3] if name in self.columns else None

    def add(self, x: float, values: Mapping[str, float]) -> None:
        self.rows += 1
        self.total += x
        for name, value in values.items():
            sums = self.columns.get(name)
            if sums is None:
                self.columns[name] = [1, value, value, value]
            else:
                sums[0] += 1
                sums[1] += value
                if value < sums[2]:
                    sums[2] = value
                elif value > sums[3]:
                    sums[3] = value

    def merge(self, other: Bin) -> None:
        self.rows += other.rows
        self.total += other.total
        for name, (number, total, low, high) in other.columns.items():
            mine = self.columns.setdefault(name, [0, 0.0, low, high])
            self.columns[name] = [mine[0] + number, mine[1] + total, min(mine[2], low), max(mine[3], high)]


class Series:
    """Rows of named numbers along x, in at most `capacity` bins.

    Example:
        >>> series = Series(capacity=4)
        >>> for step in range(1, 11):
        ...     series.add(step, {"loss": 1 / step})
        >>> [(bin.rows, bin.high("loss")) for bin in series]
        [(4, 1.0), (4, 0.2), (2, 0.1111111111111111)]
    """

    def __init__(self, capacity: int = 512) -> None:
        if capacity < 2 or capacity % 2:
            raise ValueError(f"A series merges its bins in pairs: give an even capacity, not {capacity}.")
        self.rows = 0
        self._capacity = capacity
        self._per_bin = 1
        self._bins: list[Bin] = []

    def __iter__(self) -> Iterator[Bin]:
        return iter(self._bins)

    def __len__(self) -> int:
        return len(self._bins)

    def add(self, x: float, values: Mapping[str, float]) -> None:
        """Append a row; x does not go down."""
        if not self._bins or self._bins[-1].rows >= self._per_bin:
            if len(self._bins) == self._capacity:
                self._halve()
            self._bins.append(Bin())
        self._bins[-1].add(x, values)
        self.rows += 1

    def points(self, name: str) -> list[tuple[float, float]]:
        """Return x and mean of every bin that has the column."""
        return [(bin.x, mean) for bin in self._bins if (mean := bin.mean(name)) is not None]

    def _halve(self) -> None:
        for first, second in zip(self._bins[::2], self._bins[1::2], strict=True):
            first.merge(second)
        self._bins = self._bins[::2]
        self._per_bin *= 2
