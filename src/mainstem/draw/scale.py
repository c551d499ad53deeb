"""From numbers to places on an axis, and where its ticks stand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from .words import compact, short


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`, linear or logarithmic.

    Example:
        >>> Scale(0, 200).place(50), Scale(1, 100, log=True).place(10)
        (0.25, 0.5)
    """

    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """Return where `value` stands, 0 at the low end and 1 at the high one."""
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            return (math.log(max(value, 1e-300)) - low) / (high - low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, wanted: int = 5, whole: bool = False) -> list[float]:
        """Return round numbers within the axis, about as many as `wanted`; whole ones where it counts something.

        Example:
            >>> Scale(0, 3).ticks(5), Scale(0, 3).ticks(5, whole=True)
            ([0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0])
            >>> Scale(0, 12).ticks(5), Scale(0, 12).ticks(5, whole=True)
            ([0.0, 2.5, 5.0, 7.5, 10.0], [0.0, 5.0, 10.0])
            >>> Scale(3, 40, log=True).ticks(5, whole=True)
            [4.0, 8.0, 16.0, 32.0]
        """
        if not self.log:
            return _round(self.low, self.high, wanted, whole)
        return _doubled(self.low, self.high, wanted) if whole else _decades(self.low, self.high, wanted)


def around(values: list[float], log: bool = False, zero: bool = False, pad: float = 0.05) -> Scale:
    """Return an axis that holds all `values`, with some room; from zero on where `zero` is set.

    Example:
        >>> around([2.0, 4.0], pad=0.0)
        Scale(low=2.0, high=4.0, log=False)
        >>> around([3.0])
        Scale(low=2.7, high=3.3, log=False)
    """
    if log:
        values = [value for value in values if value > 1e-290] or [1.0]
        low, high = math.log10(min(values)), math.log10(max(values))
        room = max(pad * (high - low), 0.08)
        return Scale(10 ** max(low - room, -300.0), 10 ** min(high + room, 300.0), True)
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
        return Scale(low, high + pad * (high - low)) if high - low > 1e-300 else Scale(0.0, 1.0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = abs(low) / 10 if abs(low) > 1e-12 else 1.0
        return Scale(low - room, high + room)
    room = pad * (high - low)
    return Scale(low - room, high + room)


def labels(ticks: list[float], log: bool = False) -> list[str]:
    """Return what stands beside ticks, each with as many digits as tell it from its neighbours.

    Example:
        >>> labels([1.0, 1.5, 2.0]), labels([0, 20000, 40000]), labels([0.00025, 0.0005])
        (['1.0', '1.5', '2.0'], ['0', '20k', '40k'], ['2.5e-4', '5e-4'])
        >>> labels([1e-6, 1.0, 1e6, 1e12], log=True)
        ['1e-6', '1', '1e6', '1e12']
        >>> labels([12340.0, 12345.0, 12350.0]), labels([0.001, 0.00100001])
        (['12,340', '12,345', '12,350'], ['1e-3', '1.00001e-3'])
    """
    largest = max((abs(tick) for tick in ticks), default=0.0)
    if log and largest >= 1e9:
        return ["1" if tick == 1 else _power(tick) for tick in ticks]
    if log or largest >= 1e4:
        found = [compact(tick) if tick == 0 or abs(tick) >= 1 else _small(tick) for tick in ticks]
        if len(set(found)) == len(ticks) and (log or _enough(ticks, 3)):
            return found
    if 0 < largest < 0.002 or largest >= 1e12:
        digits = next((digits for digits in range(4, 17) if _enough(ticks, digits)), 17)
        return ["0" if tick == 0 else _power(tick, digits - 1) for tick in ticks]
    gap = _gap(ticks)
    # A gap is a difference, which has lost the last digits of its ticks.
    digits = next((d for d in range(15) if abs(round(gap, d) - gap) < 1e-4 * gap), 15)
    return [f"{tick:,.{digits}f}" for tick in ticks]


def _gap(ticks: list[float]) -> float:
    return min((b - a for a, b in pairwise(ticks)), default=1.0)


def _enough(ticks: list[float], digits: int) -> bool:
    """Return whether so many digits of each tick say where it stands."""
    return all(abs(float(f"{tick:.{digits}g}") - tick) <= 1e-3 * _gap(ticks) for tick in ticks)


def _small(value: float) -> str:
    return short(value) if abs(value) >= 0.01 else _power(value)


def _power(value: float, digits: int = 3) -> str:
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def _round(low: float, high: float, wanted: int, whole: bool = False) -> list[float]:
    raw = (high - low) / max(1, wanted)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
    if whole and step % 1:
        step = math.ceil(step) if power < 1 else 2 * power if raw <= 2 * power else 5 * power
    slack = 1e-9 * (high - low)
    first, last = math.ceil((low - slack) / step), math.floor((high + slack) / step)
    return [round(index * step, 12 - math.floor(math.log10(step))) + 0.0 for index in range(first, last + 1)]


def _decades(low: float, high: float, wanted: int) -> list[float]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if last - first >= 2:
        stride = math.ceil((last - first + 1) / max(1, wanted))
        return [10.0**power for power in range(first, last + 1, stride)]
    fine = [m * 10.0**p for p in range(first - 1, last + 1) for m in (1, 2, 5)]
    found = [tick for tick in fine if low <= tick * (1 + 1e-9) and tick <= high * (1 + 1e-9)]
    return found if len(found) >= 2 else [tick for tick in _round(low, high, wanted) if tick > 0]


def _doubled(low: float, high: float, wanted: int) -> list[float]:
    """Powers of two, as depths and widths are; what is too wide or too narrow for them has round numbers."""
    first, last = math.ceil(math.log2(low) - 1e-9), math.floor(math.log2(high) + 1e-9)
    if first < 0 or last - first < 1 or last - first > 12:
        return [tick for tick in _decades(low, high, wanted) if tick % 1 == 0]
    return [2.0**power for power in range(first, last + 1, math.ceil((last - first + 1) / max(1, wanted)))]
