"""What a published residual form says: a frozen value that builds streams, connections and branches.

May import nn and stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from torch import nn

from ..nn import Spec
from ..stream import Add, Connection, Single, Site, Stream

if TYPE_CHECKING:
    from .combined import Combined


class Multipliers(NamedTuple):
    """Factors on what the optimizer does to parameters of one role."""

    lr: float = 1.0


@dataclass(frozen=True)
class Form:
    """Pre-norm, and the base of all other forms: a form overrides what it says otherwise, and nothing else.

    Forms combine with ``|``: what only one of them defines is taken from it, factors multiply, and two that define
    the same piece are refused by name.
    """

    def groups(self, kinds: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Return which sublayers of a block share one residual; by default each has its own.

        A second sublayer of a kind comes as `feedforward_2`.
        """
        return [(kind,) for kind in kinds]

    def stream(self, sites: Sequence[Site]) -> Stream:
        """Return what opens and closes the stream, once per model; it owns the final norm, if there is one."""
        return Single(sites[0].norm.build(sites[0].width))

    def connection(self, site: Site) -> Connection:
        """Return how the sublayer at `site` reads and writes; it may own weights."""
        return Add()

    def sublayer(self, site: Site, spec: Spec) -> Spec:
        """Return the sublayer's spec, changed where the form asks for it; those of several forms apply in turn."""
        return spec

    def branch(self, site: Site, spec: Spec) -> list[nn.Module]:
        """Return the modules of the branch, with its norms and scales; the block adds dropout behind them."""
        return [site.norm.build(site.width), spec.build()]

    def init(self) -> str:
        """Return the name of the initial weights that the form was published with."""
        return "gpt2"

    def init_scale(self, site: Site, role: str) -> float:
        """Return the factor on the initial standard deviation of the matrix `role` at `site`."""
        return 1.0

    def multipliers(self, role: str) -> Multipliers:
        """Return the factors on the learning rate of parameters of this role."""
        return Multipliers()

    def refuses(self, init: str) -> str | None:
        """Return why these initial weights cannot work with the form and what to do, or None."""
        return None

    def __or__(self, other: Form) -> Combined:
        from .combined import Combined

        return Combined((self, other))


def defines(form: Form, piece: str) -> bool:
    """Return whether `form` says anything of its own about `piece`, the name of a method of `Form`."""
    return getattr(type(form), piece) is not getattr(Form, piece)
