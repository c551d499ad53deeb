"""What an experiment is: a claim as a question, cells to train, contrasts that answer it, and figures. All values."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..config import SITES
from ..errors import BadInput

if TYPE_CHECKING:
    from ..config import Run
    from ..draw.chart import Figure
    from .result import Results
    from .trial import Trial

Numbers = Mapping[str, float | list[float]]
"""What one trial comes to: numbers, and curves by depth or by step."""

LOSSES = ("held_out", "train", "loss")
"""Numbers of a trial that are losses in nats per token: on held-out text, on the training text, in the last steps."""

_COMPARED = (*LOSSES, "best", "last", "offered")
"""Numbers by which one network is better than another: these losses, and those of a comparison."""


def number(numbers: Numbers, name: str) -> float:
    """Return one number of a trial; nan where it has none of that name."""
    found = numbers.get(name)
    return found if isinstance(found, (int, float)) else math.nan


def losses(numbers: Numbers) -> dict[str, float]:
    """Return those of `numbers` that are `LOSSES`.

    Example:
        >>> losses({"loss": 2.0, "decades": -3.0})
        {'loss': 2.0}
    """
    return {name: number(numbers, name) for name in LOSSES if name in numbers}


@dataclass(frozen=True)
class Cell:
    """One configuration of the grid: `settings` are dotted fields of a run, over those of the experiment.

    `at` says where in the grid it is, for figures and for the trial: an arm's name, a number of layers. `whole` is a
    configuration of its own, over which only the seed is put. `tokens` is how much of the training text it reads, in
    pieces spread evenly over all of it; None is all of it.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    at: Mapping[str, Any] = field(default_factory=dict)
    whole: Run | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class Contrast:
    """A question with a number for its answer: the sum of ``weight x value`` over cells, seed by seed.

    `value` names the number of a trial. `delta` is the smallest effect of interest in its unit, fixed beforehand;
    `expected` the sign that the claim predicts. `says` is the sentence that is true where it is supported. `untrained`
    is whether the number is that of networks at their initial weights. `learned_by` makes from a trial's numbers the
    losses by which it shows that its networks have learned something, under names of `LOSSES`.
    """

    says: str
    weights: Mapping[str, float]
    value: str
    unit: str
    delta: float
    expected: int
    untrained: bool = False
    learned_by: Callable[[Numbers], Mapping[str, float]] = losses

    def __post_init__(self) -> None:
        if self.expected not in (-1, 1) or self.delta < 0:
            raise ValueError(f"A contrast expects a sign and a delta of 0 or more: {self.expected}, {self.delta}.")

    def meaningless(self, failed: Collection[str]) -> bool:
        """Return whether the number says nothing where the networks of the cells in `failed` learned nothing.

        The loss of such a network says that it is behind, so it may stand on one side of a difference; where some stand
        on both sides, failures are compared. Any other number is about what has been learned, and asks it of all cells.

        Example:
            >>> better = Contrast("a is better than b", against("a", "b"), "held_out", "nats", 0.1, -1)
            >>> better.meaningless(["b"]), better.meaningless(["a", "b"])
            (False, True)
        """
        if self.untrained:
            return False
        behind = [weight > 0 for cell, weight in self.weights.items() if cell in failed]
        if self.value in _COMPARED:
            return len(behind) == len(self.weights) or len(set(behind)) == 2
        return bool(behind)


def against(treated: str, control: str) -> dict[str, float]:
    """Return the weights of ``treated - control``.

    Example:
        >>> against("with", "without")
        {'with': 1.0, 'without': -1.0}
    """
    return {treated: 1.0, control: -1.0}


@dataclass(frozen=True)
class Experiment:
    """A claim of the textbook section put to the test.

    `claim` is what the text says, `section` where. `cells` are trained once per seed; each by `trial`, which trains
    as it is told and returns the numbers. The verdict of the experiment is that of the first contrast; the others are
    reported beside it, all adjusted together. `base` are settings of all cells, `train.steps` among them, which a
    budget of ten minutes doubles. `decides` names the fields and sections that `trial` sets itself or never looks at:
    nobody else can set them. `conditions` says in words under which conditions the verdict holds. A change of what
    `trial` does takes another `version`, so that no number of the old kind is used again. `needs` are the tokens that
    the training text must have.
    """

    name: str
    section: str
    claim: str
    question: str
    cells: tuple[Cell, ...]
    contrasts: tuple[Contrast, ...]
    trial: Callable[[Trial], Numbers]
    figures: Callable[[Results], Sequence[Figure]]
    base: Mapping[str, Any] = field(default_factory=dict)
    decides: tuple[str, ...] = ()
    conditions: str = ""
    sources: tuple[str, ...] = ()
    version: int = 1
    needs: int = 0

    def __post_init__(self) -> None:
        names = [cell.name for cell in self.cells]
        used = {name for contrast in self.contrasts for name in contrast.weights}
        if len(set(names)) < len(names) or not used <= set(names) or not self.contrasts:
            raise ValueError(f"{self.name}: cells need names of their own, and contrasts are about cells.")

    @property
    def repeated(self) -> int | None:
        """How many tokens the text has that cells read many times; None where no cell reads a part of the text."""
        return next((cell.tokens for cell in self.cells if cell.tokens is not None), None)

    @property
    def longer(self) -> str:
        """The flag by which the trainings become longer."""
        run = self.cells[0].whole
        given = () if run is None else [name for name in ("budget", "epochs") if getattr(run.train, name) is not None]
        return f"--train.{given[0]}" if given else "--train.steps"

    def repeating(self, tokens: int) -> Experiment:
        """Return the experiment on another size of the text that is read many times, with as many passes.

        All cells take more steps in proportion, those that read other text too: so they stay comparable. Raises
        `BadInput` where no cell reads a text many times.
        """
        if self.repeated is None:
            raise BadInput(f"--repeated {tokens} is for a text that is read many times, and {self.name} has none.")
        steps = max(1, round(self.base["train.steps"] * tokens / self.repeated))
        cells = tuple(cell if cell.tokens is None else replace(cell, tokens=tokens) for cell in self.cells)
        return replace(self, cells=cells, base={**self.base, "train.steps": steps}, needs=tokens)

    def check(self, settings: Iterable[str]) -> None:
        """Raise `BadInput` where a field among `settings` would not hold in every training."""
        for name in settings:
            taken = self.decided(name)
            if taken is not None:
                raise BadInput(
                    f"{name} cannot be set for {self.name}, which decides over {taken} itself: leave it out, or take "
                    "another experiment (`mainstem lab` lists them)."
                )

    def decided(self, name: str) -> str | None:
        """Return the field by which a cell or `trial` decides over the field `name` itself; None where nothing does.

        Every experiment looks inside one network, so `model.members` is never free.
        A whole list or mapping that is set (`penalty`, `model.residual`) is one with its parts.
        """
        own = ["model.members", *self.decides, *(name for cell in self.cells for name in cell.settings)]
        return next((one for one in own if _same(name, one)), None)

    def free(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of `settings` that hold in every training; without the name of a variant its values do not."""
        gone = [name for name in settings if self.decided(name) is not None]
        values = tuple(name.removesuffix("name") for name in gone if name.endswith(".name"))
        return {name: value for name, value in settings.items() if name not in gone and not name.startswith(values)}


_RATES = frozenset(("noise.rate", *(f"noise.{site}" for site in SITES)))
"""`noise.rate` is that of each site which has none of its own."""


def _same(a: str, b: str) -> bool:
    return a == b or a.startswith(f"{b}.") or b.startswith(f"{a}.") or ("noise.rate" in (a, b) and {a, b} <= _RATES)
