"""Noise before it is built: a frozen value that says what is dropped where, and how much."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TypeVar

from ..errors import BadInput
from .points import axes
from .rate import Depth, Rate
from .site import Noise

Spec = TypeVar("Spec", bound="NoiseSpec")


@dataclass(frozen=True)
class NoiseSpec(ABC):
    """Noise to be, at one point of a model. Abstract: `make` returns the module.

    Args:
        rate: the probability of dropping, a number or a `Rate`.
        at: the point, one of `noise.POINTS`, such as attention.heads.

    Raises:
        BadInput: an unknown point, a rate outside [0, 1], or one that depends on the depth where there is none.
    """

    rate: Rate | float
    at: str

    def __post_init__(self) -> None:
        axes(self.at)
        if self.rates.depth != "constant" and self.at.startswith("embedding."):
            raise BadInput(f"{self.at} has no depth that a rate could depend on: give it depth constant.")

    @property
    def rates(self) -> Rate:
        """The rate, as a `Rate`."""
        return self.rate if isinstance(self.rate, Rate) else Rate(float(self.rate))

    @property
    def drops(self) -> bool:
        """Whether anything is ever dropped."""
        return self.rates.value > 0

    @property
    def skips(self) -> bool:
        """Whether whole branches are left out, which a residual decides before it computes them."""
        return False

    def there(self: Spec, site: Depth) -> Spec:
        """Return the same noise with the rate of the sublayer at `site`."""
        return replace(self, rate=self.rates.there(site))

    def build(self, spec: object = None) -> Noise:
        """Return a new module for the sublayer that `spec` describes; its rate is that of the first step.

        A rate that changes over the steps is set by `noise.at_step`, and makes a module even where it begins at 0.
        """
        rates = self.rates
        module = self.make(rates.at(None, 1, 2), getattr(spec, "context", None))
        if rates.changes:
            module.schedule, module.silent = rates, False
        return module

    @abstractmethod
    def make(self, rate: float, context: int | None) -> Noise:
        """Return a new module; `context` is what rows of attention weights are numbered by."""
