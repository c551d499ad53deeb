"""Penalties R(w) on the weights, as terms of the loss or as proximal steps; weight decay is a part of `optim`.

The catalogue lists them; `penalty.ElasticNet` is found there, so that a new penalty is its file and one line,
and one of the imports for type checkers.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import nn

from .. import catalogue, variants
from ..config import PenaltyTerm
from ..optim import Proximal, select
from . import anchors
from .base import Penalty
from .doubled import doubled

if TYPE_CHECKING:
    from .elastic_net import ElasticNet as ElasticNet
    from .group_lasso import GroupLasso as GroupLasso
    from .l1 import L1 as L1
    from .l2 import L2 as L2
    from .l2_sp import L2SP as L2SP
    from .orthogonality import Orthogonality as Orthogonality
    from .spectral import Spectral as Spectral

__all__ = ["Penalty", "anchors", "doubled", "fitting", "make", "proximal"]


def make(terms: Sequence[PenaltyTerm], path: str = "penalty") -> list[Penalty]:
    """Return the penalties that a configuration lists at `path`, in its order.

    Example:
        >>> make([PenaltyTerm(name="l1", coef=1e-5, on="feedforward")])
        [L1(coef=1e-05, on='feedforward')]
    """
    return [_made(f"{path}.{number}", term) for number, term in enumerate(terms)]


def proximal(model: nn.Module, terms: Sequence[PenaltyTerm]) -> list[Proximal]:
    """Return the proximal steps behind each update of `model` that ``optim.proximal`` of a configuration lists.

    Raises:
        BadInput: a penalty that cannot be one, or whose groups the model does not have.

    Example:
        >>> proximal(nn.Linear(2, 2), [PenaltyTerm(name="l1", coef=1e-5)])
        [Proximal(penalty=L1(coef=1e-05, on=None))]
    """
    found = make(terms, "optim.proximal")
    fitting(model, found, "optim.proximal")
    return [Proximal(term.begin(model) if term.proximable else term) for term in found]


def fitting(model: nn.Module, terms: Sequence[Penalty], path: str = "penalty") -> None:
    """Refuse a pattern of the `terms` that stand in a configuration at `path` that fits nothing of `model`.

    Raises:
        BadInput: it fits nothing, with what is near.

    Example:
        >>> fitting(nn.Linear(2, 2), make([PenaltyTerm(name="l1", coef=1e-5, on="linear")]))
    """
    for number, term in enumerate(terms):
        with variants.said_of(f"{path}.{number}.on"):
            select(model, term.on)


def _made(path: str, term: PenaltyTerm) -> Penalty:
    given = {"name": term.name, "coef": term.coef, "on": term.on, **term.values}
    found: Penalty = variants.resolve("penalty", given, path)
    return found


if not TYPE_CHECKING:
    __getattr__, __dir__ = catalogue.attributes(__name__, "penalty")
