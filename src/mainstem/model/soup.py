"""The mean of several models' weights, and which of them to take."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import TypeVar

import torch

from ..errors import BadInput
from .build import Network
from .settings import Rates, Settings

Model = TypeVar("Model")


@torch.no_grad()
def mean(models: Sequence[Network]) -> Network:
    """Return a model with the mean of the weights of `models`, which is summed in float64, in eval mode.

    Raises:
        BadInput: their weights do not belong together.

    Source:
        Wortsman et al. 2022 (2203.05482), the uniform soup of table 1.

    Example:
        >>> from mainstem.model import LanguageModel
        >>> models = [LanguageModel(Settings(vocab=5, layers=1, width=8, heads=2, context=4), seed) for seed in (0, 1)]
        >>> weights = [each.embedding.weight for each in (*models, mean(models))]
        >>> weights[2].equal((weights[0] + weights[1]) / 2)
        True
    """
    for other in models[1:]:
        check(models[0].settings, other.settings)
    made = copy.deepcopy(models[0]).eval()
    each = [model.state_dict() for model in models]
    for name, tensor in made.state_dict().items():
        total = sum(state[name].to(torch.float64) for state in each)
        tensor.copy_(total / len(each))
    return made


def check(one: Settings, other: Settings) -> None:
    """Raise `BadInput` where models of these settings have weights that do not belong together; noise may differ."""
    quiet = [replace(each, rates=Rates(), also=()) for each in (one, other)]
    for each in fields(Settings):
        first, second = (getattr(settings, each.name) for settings in quiet)
        if first != second:
            raise BadInput(
                f"--model.{each.name} is {first} in one of them and {second} in another, so that their weights do not "
                "belong together: give runs of one model."
            )


def greedy(models: Sequence[Model], loss: Callable[[Sequence[Model]], float]) -> tuple[list[int], float]:
    """Return the numbers of the models to take, the best first, and the loss of their mean.

    From the best on, each in the order of their losses stays if the mean with it is no worse. A model whose loss is no
    number is the worst.

    Args:
        loss: of the mean of some models; it is called once for each, and once for each that is tried.

    Source:
        Wortsman et al. 2022 (2203.05482), algorithm 1.

    Example:
        >>> greedy([3.0, 1.0, -1.5], lambda some: abs(sum(some) / len(some)))
        ([1, 2], 0.25)
    """
    alone = [math.inf if math.isnan(found) else found for found in (loss([model]) for model in models)]
    order = sorted(range(len(models)), key=alone.__getitem__)
    taken, best = order[:1], alone[order[0]]
    for number in order[1:]:
        found = loss([models[each] for each in (*taken, number)])
        if found <= best:
            taken, best = [*taken, number], found
    return taken, best
