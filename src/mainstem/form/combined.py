"""Several forms as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from ..errors import BadInput
from ..stream import Connection, Site, Stream
from .base import Form, Multipliers, Parts, defines

CLAIMS = ("groups", "stream", "connection")


@dataclass(frozen=True)
class Combined(Form):
    """Several forms at once: groups, stream and connection belong to one of them, everything else is folded over all.

    Each form changes the branch that the one before it leaves; `init_scale` and `multipliers` multiply; ``init: auto``
    is the first of the forms' own initial weights that none of them refuses.

    Args:
        forms: the forms, in order; ``a | b`` is shorter.

    Raises:
        BadInput: where two forms define the same one of groups, stream and connection, where one form is named twice,
            and where a form says that it cannot stand beside another.

    Example:
        >>> from mainstem import form
        >>> (form.Sandwich() | form.LayerScale()).init()
        'normal'
    """

    forms: tuple[Form, ...]

    def __post_init__(self) -> None:
        flat: list[Form] = []
        for form in self.forms:
            flat.extend(form.forms if isinstance(form, Combined) else [form])
        object.__setattr__(self, "forms", tuple(flat))
        for one, other in combinations(flat, 2):
            if reason := _refused(one, other):
                names = f"{type(one).__name__} and {type(other).__name__}"
                raise BadInput(f"{names} cannot be combined, as {reason}: leave one of them out.")

    def _owner(self, piece: str) -> Form:
        return next((form for form in self.forms if defines(form, piece)), Form())

    def groups(self, kinds: tuple[str, ...]) -> list[tuple[str, ...]]:
        return self._owner("groups").groups(kinds)

    def stream(self, sites: Sequence[Site]) -> Stream:
        return self._owner("stream").stream(sites)

    def connection(self, site: Site) -> Connection:
        return self._owner("connection").connection(site)

    def branch(self, site: Site, parts: Parts) -> Parts:
        for form in self.forms:
            parts = form.branch(site, parts)
        return parts

    def init(self) -> str:
        own = [form.init() for form in self.forms if defines(form, "init")] or [super().init()]
        return next((name for name in own if self.refuses(name) is None), own[0])

    def init_scale(self, site: Site, role: str) -> float:
        factor = 1.0
        for form in self.forms:
            factor *= form.init_scale(site, role)
        return factor

    def multipliers(self, role: str, site: Site, hidden: bool) -> Multipliers:
        factors = Multipliers()
        for form in self.forms:
            factors = factors.times(form.multipliers(role, site, hidden))
        return factors

    def refuses(self, init: str) -> str | None:
        return next((reason for form in self.forms if (reason := form.refuses(init))), None)

    def along_positions(self) -> bool:
        return any(form.along_positions() for form in self.forms)


def _refused(one: Form, other: Form) -> str | None:
    """Return why the two cannot be combined, or None."""
    if type(one) is type(other):
        return "they are the same form"
    for piece in CLAIMS:
        if defines(one, piece) and defines(other, piece):
            return f"both define the {piece} of the residual"
    return one.beside(other) or other.beside(one)
