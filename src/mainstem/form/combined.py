"""Several forms as one. May import its neighbours here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from ..errors import BadInput
from ..nn import Spec
from ..stream import Connection, Site, Stream
from .base import Form, Multipliers, defines

CLAIMS = ("groups", "stream", "connection", "branch", "init")


@dataclass(frozen=True)
class Combined(Form):
    """What only one of the forms defines is taken from it; specs are changed in turn, factors multiply.

    Raises `BadInput` where two define the same one of stream, connection, branch, groups or initial weights.

    >>> from mainstem import form
    >>> (form.Hyper(streams=2) | form.ValueResidual()).forms[0].streams
    2
    """

    forms: tuple[Form, ...]

    def __post_init__(self) -> None:
        flat: list[Form] = []
        for form in self.forms:
            flat.extend(form.forms if isinstance(form, Combined) else [form])
        object.__setattr__(self, "forms", tuple(flat))
        for piece in CLAIMS:
            claimants = [type(form).__name__ for form in flat if defines(form, piece)]
            if len(claimants) > 1:
                raise BadInput(
                    f"{' and '.join(claimants)} both define the {piece} of the residual, so they cannot be combined: "
                    "leave one of them out"
                )

    def _owner(self, piece: str) -> Form:
        return next((form for form in self.forms if defines(form, piece)), Form())

    def groups(self, kinds: tuple[str, ...]) -> list[tuple[str, ...]]:
        return self._owner("groups").groups(kinds)

    def stream(self, sites: Sequence[Site]) -> Stream:
        return self._owner("stream").stream(sites)

    def connection(self, site: Site) -> Connection:
        return self._owner("connection").connection(site)

    def sublayer(self, site: Site, spec: Spec) -> Spec:
        for form in self.forms:
            spec = form.sublayer(site, spec)
        return spec

    def branch(self, site: Site, spec: Spec) -> list[nn.Module]:
        return self._owner("branch").branch(site, spec)

    def init(self) -> str:
        return self._owner("init").init()

    def init_scale(self, site: Site, role: str) -> float:
        factor = 1.0
        for form in self.forms:
            factor *= form.init_scale(site, role)
        return factor

    def multipliers(self, role: str) -> Multipliers:
        lr = 1.0
        for form in self.forms:
            lr *= form.multipliers(role).lr
        return Multipliers(lr)

    def refuses(self, init: str) -> str | None:
        return next((reason for form in self.forms if (reason := form.refuses(init))), None)
