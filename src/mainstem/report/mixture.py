"""What a run reached together with counts, where it has some."""

from __future__ import annotations

from typing import NamedTuple

from ..runs.metrics import number
from ..runs.score import BITS
from ..wording import fixed
from .source import Source, mapping


class Mixture(NamedTuple):
    """Bits per byte of the network alone and of it with counts; `low` and `high` are the ends of the 95% interval of
    what counts take away, `share` is the network's."""

    network: float
    mixed: float
    low: float
    high: float
    share: float
    order: float

    @property
    def sentence(self) -> str:
        """Say both numbers.

        Example:
            >>> Mixture(2.0, 1.9, 0.09, 0.11, 0.75, 5).sentence
            'With counts of the training text beside the whole network 1.9000 bits per byte, 5.0% fewer (95% interval \
4.5% to 5.5%): 75% network, 25% counts of order 5.'
        """
        low, high = self.low / self.network, self.high / self.network
        return (
            f"With counts of the training text beside the whole network {fixed(self.mixed, '.4f')} {BITS.unit}, "
            f"{1 - self.mixed / self.network:.1%} fewer (95% interval {low:.1%} to {high:.1%}): "
            f"{self.share:.0%} network, {1 - self.share:.0%} counts of order {self.order:.0f}."
        )


def mixture(source: Source) -> Mixture | None:
    """Return what the outcome of a run says of counts; None where it has none."""
    said = mapping(source.fact("outcome").get("prior"))
    names = ("network_bpb", "mixed_bpb", "low", "high", "share", "order")
    values = [value for name in names if (value := number(said.get(name))) is not None]
    return Mixture(*values) if len(values) == len(names) and values[0] > 0 else None


def offered(source: Source, bits: float) -> float:
    """Return the bits per byte of what the run offers: with counts where it has some, else those of the network."""
    found = mixture(source)
    return bits if found is None else found.mixed
