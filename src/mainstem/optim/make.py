"""The optimizer that a configuration names."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from .. import catalogue, variants
from ..config import Optim
from . import decay_course
from .after import After
from .around import Around
from .before import Before
from .groups import Special, groups
from .optimizer import Update
from .roles import select
from .spec import OptimizerSpec


def parse(section: Optim) -> OptimizerSpec:
    """Return the optimizer that a configuration names, as a value.

    Example:
        >>> parse(Optim(name="muon", values={"muon_lr": 0.1})).muon_lr
        0.1
    """
    given = {"name": section.name, **section.values}
    found: OptimizerSpec = variants.resolve("optimizer", given)
    return found


def make(model: nn.Module, section: Optim, after: Sequence[After] = (), pass_steps: float = 1.0) -> Update:
    """Return the optimizer that the catalogue lists under the name of `section`, over what of `model` is trainable.

    `after` are steps behind each update, such as the proximal ones of a run; a pass over the text has
    `pass_steps`, by which a decay may go. Each group carries its `peak`, the learning rate of the optimizer that takes
    it times the group's lr_scale; `schedule.apply` sets lr from it.

    Raises:
        BadInput: where `decay_on` or an item of `groups` fits nothing, or "muon" finds no matrix.

    Example:
        >>> made = make(nn.Linear(2, 2), Optim(values={"lr": 0.1}))
        >>> sorted({group["peak"] for group in made.param_groups})
        [0.1]
    """
    patterns = {f"optim.groups.{number}.on": each.on for number, each in enumerate(section.groups)}
    for path, on in [("optim.decay_on", section.decay_on), *patterns.items()]:
        if on is not None:
            with variants.said_of(path):
                select(model, on)
    before: Before = catalogue.resolve("decay", section.decay_kind)()
    special = [
        Special(each.on, each.lr, None if each.decay is None else before.given(each.decay, pass_steps))
        for each in section.groups
    ]
    around: Around | None = None
    if section.around is not None:
        around = variants.resolve("around", section.around)
    made = parse(section).over(
        groups(model, before.given(section.decay, pass_steps), section.decay_on, special),
        before=[before],
        around=around,
        after=after,
    )
    if variants.resolve("course", section.decay_course).changes:
        decay_course.apply(made, 1.0)
    return made
