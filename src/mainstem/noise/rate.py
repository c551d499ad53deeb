"""How much is dropped, over the depth of a model and over the steps of a training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

from .. import catalogue, progress
from ..errors import BadInput

DEPTHS = ("constant", "linear", "falling")
COURSES = ("constant", "rising", "falling")


class Numbered(Protocol):
    """It is number `sublayer`, from 0, of `sublayers`."""

    @property
    def sublayer(self) -> int: ...
    @property
    def sublayers(self) -> int: ...


class Depth(Numbered, Protocol):
    """Where a sublayer stands, which is in number `block`, from 0, of `blocks`."""

    @property
    def block(self) -> int: ...
    @property
    def blocks(self) -> int: ...


@dataclass(frozen=True)
class Rate:
    """A probability of dropping that may depend on the depth of a sublayer and on the progress of a training.

    Formula:
        rate = value d s
        d = 1 ("constant"), l / N for sublayer l = 1..N ("linear"), or (N + 1 - l) / N ("falling")
        p = (step - 1) / (steps - 1), the progress, from 0 at the first step to 1 at the last
        s = 1 where begin <= p <= end and 0 elsewhere ("constant"), min(max((p - begin) / (end - begin), 0), 1)
        ("rising"), or 1 minus that ("falling")

    Args:
        value: the largest rate, in [0, 1].
        depth: "constant", "linear", which grows over the sublayers, or "falling", which shrinks.
        begin: the progress, a share of the training, from which it is on or changes.
        end: the progress up to which it is on or changes.
        course: "constant", "rising" or "falling" between these. Early dropout is ``Rate(0.1, end=0.2)`` or, falling
            linearly, ``Rate(0.1, end=0.2, course="falling")``; late dropout is ``Rate(0.1, begin=0.2)``.

    Raises:
        BadInput: a value outside [0, 1], or begin and end that are not 0 <= begin < end <= 1.

    Source:
        Huang et al. 2016 (1603.09382), equation 4, "linear"; Li et al. 2022 (2208.02646), "falling"; Liu et al. 2023
        (2303.01500), early and late dropout.

    Example:
        >>> [Rate(0.2, course="rising").at(None, step, 5) for step in (1, 3, 5)]
        [0.0, 0.1, 0.2]
    """

    value: float
    depth: Literal["constant", "linear", "falling"] = "constant"
    begin: float = 0.0
    end: float = 1.0
    course: Literal["constant", "rising", "falling"] = "constant"

    def __post_init__(self) -> None:
        if not 0.0 <= self.value <= 1.0:
            raise BadInput(f"rate {self.value} is not a probability: give a number from 0 to 1.")
        for name, known in (("depth", DEPTHS), ("course", COURSES)):
            if getattr(self, name) not in known:
                raise BadInput(f"{name} {getattr(self, name)!r} of a rate is not known: use {', '.join(known)}.")
        self._course  # noqa: B018 - which refuses a begin and an end that make no part of a training

    @property
    def changes(self) -> bool:
        """Whether the rate depends on the step."""
        return self._course.changes

    def there(self, site: Numbered) -> Rate:
        """Return the rate of the sublayer at `site`, which depends on the step alone."""
        if self.depth == "constant":
            return self
        place = site.sublayer + 1 if self.depth == "linear" else site.sublayers - site.sublayer
        return replace(self, value=self.value * place / site.sublayers, depth="constant")

    def at(self, site: Numbered | None, step: float, steps: int) -> float:
        """Return the rate at `site` in step `step`, from 1, of `steps`; without a site, the largest there."""
        value = self.value if site is None else self.there(site).value
        return value * self._course.at(progress.of(step, steps))

    @property
    def _course(self) -> progress.Course:
        found: progress.Course = catalogue.resolve("course", self.course)(self.begin, self.end)
        return found
