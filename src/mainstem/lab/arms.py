"""Which style an arm of an experiment is drawn in: the same in all figures of all experiments."""

from __future__ import annotations

from collections.abc import Sequence

from ..draw.chart import SERIES

_PLACES = {
    "pre-norm": 1,
    "post-norm": 2,
    "norms without residuals": 3,
    "neither residuals nor norms": 4,
    "residuals without norms": 5,
}
"""Kinds of networks; what is none of them has the styles that these leave in a figure, in order."""

_KINDS = {
    "residual, pre-norm": "pre-norm",
    "pre-norm": "pre-norm",
    "layer norm": "pre-norm",
    "pre-norm, with factor": "pre-norm",
    "residual, post-norm": "post-norm",
    "post-norm": "post-norm",
    "no residual, normed": "norms without residuals",
    "plain": "norms without residuals",
    "no residual": "neither residuals nor norms",
    "residual, no norm": "residuals without norms",
    "no norm": "residuals without norms",
    "no norm, with factor": "residuals without norms",
}
"""Arms under the names that experiments give them."""


def styles(arms: Sequence[str]) -> list[str]:
    """Return a style for each of a figure's arms, by its name where it is the first of a kind of network.

    More arms than there are styles begin again.

    Example:
        >>> styles(["no residual", "repeated", "residual, pre-norm", "fresh"])
        ['series4', 'series2', 'series1', 'series3']
    """
    places = [_PLACES.get(_KINDS.get(arm, "")) for arm in arms]
    known = [place if place not in places[:number] else None for number, place in enumerate(places)]
    free = [place for place in range(1, SERIES + 1) if place not in known] or list(range(1, SERIES + 1))
    others = iter(free * len(arms))
    return [f"series{next(others) if place is None else place}" for place in known]
