"""A form at one sublayer of somebody's: its connection alone, or all that it puts around.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..errors import BadInput
from ..nn import AttentionSpec, FeedForwardSpec, NormSpec, Spec
from ..nn.unmade import unmade
from ..stream import Connection, Site, Stream, sites
from ..stream.opened import Opened
from .base import Form, Multipliers, Parts

SUBLAYERS: dict[str, Spec] = {"attention": AttentionSpec(4, 2), "feedforward": FeedForwardSpec(4, 4)}
"""Sublayers of ours, by which it is seen what a form makes of one."""

ROLES = tuple(f"attention.{name}" for name in ("query", "key", "value", "out")) + tuple(
    f"feedforward.{name}" for name in ("in", "gate", "out")
)
"""Roles of the matrices inside sublayers."""

Branch = Callable[[Tensor], Tensor]

_STACK = "put the layers into mainstem.Stack(form, layers, width)"


def connection(form: Form, width: int | None, site: Site | None) -> Connection:
    """Return the connection of `form` at `site`, or that of every site of a model of `width`.

    Where all that tells sites apart is which of several streams is read, the connection has streams of its own, which
    begin as copies of x.

    Raises:
        BadInput: as `Form.connected` says.

    Example:
        >>> from mainstem import form
        >>> type(connection(form.Highway(), 8, None)).__name__
        'Gate'
    """
    name = type(form).__name__
    if site is None and width is None:
        raise BadInput(
            f"{name} was given as a connection without a place: give width=, or site= where the form depends on depth "
            "(mainstem.stream.sites)."
        )
    places = [site] if site is not None else []
    around: Stream | None = None
    if width is not None and site is None:
        places = _places(width)
        around = form.connection(places[0]).around_one()
        if around is None and len({_described(form, place) for place in places}) > 1:
            raise BadInput(
                f"{name} connects sublayers differently by where they stand in the model, and no site= was given: give "
                f"that of mainstem.stream.sites(kinds, blocks, width), or {_STACK}."
            )
    for place in places:
        if (said := _says_more(form, place)) is not None:
            raise BadInput(f"{name} {said}, which a connection alone does not do: {_STACK}.")
    made = form.connection(places[0])
    return made if around is None else Opened(made, around)


def _places(width: int) -> list[Site]:
    """Return places between which a form may tell: ends, middles and sublayers of a short and of a long model."""
    kinds = tuple(SUBLAYERS)
    return [*sites(kinds, 1, width), *sites(kinds, 6, width)]


def _described(form: Form, site: Site) -> str:
    # Initial weights may be drawn, and are alike only from one seed; `torch.manual_seed` would have those of a GPU
    # begin anew too. On meta there are no numbers to compare.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.random.default_generator.manual_seed(0)
        made = form.connection(site)
    values = [(key, value.tolist()) for key, value in made.state_dict().items()]
    return f"{made!r} {values} {[(k, v) for k, v in vars(made).items() if not k.startswith('_')]}"


def _says_more(form: Form, site: Site) -> str | None:
    """Return what `form` does beside connecting, or None."""
    if len(form.groups(tuple(SUBLAYERS))) < len(SUBLAYERS):
        return "has sublayers share a residual"
    with unmade():
        for kind, spec in SUBLAYERS.items():
            parts = form.branch(replace(site, kind=kind), Parts((), spec))
            if parts.before or parts.behind or parts.sublayer != spec:
                return "changes the branch too, by a norm, a factor or inside the sublayer"
    if any(form.init_scale(replace(site, kind=kind), role) != 1 for kind in SUBLAYERS for role in ROLES):
        return "scales the initial weights of the branch too"
    if any(form.multipliers(role, site, True) != Multipliers() for role in (*ROLES, *_roles(form, site))):
        return "gives some weights a learning rate of their own too"
    return None


def _roles(form: Form, site: Site) -> list[str]:
    publish = [getattr(part, "roles", None) for part in form.connection(site).modules()]
    return [role for each in publish if callable(each) for role in each().values()]


class Around(nn.Module):
    """What a form puts around one sublayer: modules in front, modules behind, and the connection.

    Shapes:
        x, y [B, T, D]

    Args:
        before, behind: modules in order.
        connection: one that stands alone.
    """

    def __init__(self, before: Iterable[nn.Module], connection: Connection, behind: Iterable[nn.Module]) -> None:
        super().__init__()
        self.before, self.behind = nn.ModuleList(before), nn.ModuleList(behind)
        self.connection = connection

    def forward(self, x_BTD: Tensor, sublayer: Branch, end: Branch) -> Tensor:
        """Return the stream behind the sublayer; `end` is called with what the modules behind it return."""
        stream = self.connection.stream()
        state = stream.open(x_BTD)
        h_BTD, carry = self.connection.read(state)
        for module in self.before:
            h_BTD = module(h_BTD)
        y_BTD = sublayer(h_BTD)
        for module in self.behind:
            y_BTD = module(y_BTD)
        return stream.close(self.connection.write(state, end(y_BTD), carry))


def around(form: Form, kind: str, width: int, norm: NormSpec) -> Around:
    """Return what `form` puts around a sublayer of somebody's, of `kind`, that stands at any place of a model.

    Raises:
        BadInput: the form needs more than one sublayer or its depth, or changes the sublayer itself.

    Example:
        >>> from mainstem import form
        >>> len(around(form.Sandwich(), "attention", 8, NormSpec()).behind)
        1
    """
    places = [replace(site, norm=norm) for site in _places(width) if site.kind == kind]
    said = None
    if len(form.groups(tuple(SUBLAYERS))) < len(SUBLAYERS):
        said = "has sublayers share a residual"
    elif len({_described(form, site) + _parts(form, site) for site in places}) > 1:
        said = "treats sublayers differently by where they stand in the model"
    elif any(form.branch(site, Parts((), SUBLAYERS[kind])).sublayer != SUBLAYERS[kind] for site in places):
        said = "changes what the sublayer does inside"
    elif any(form.init_scale(site, role) != 1 for site in places for role in ROLES):
        said = "scales the initial weights of the sublayer"
    elif not form.connection(places[0]).stream().stands_alone:
        said = "has a stream that runs through all layers"
    if said is not None:
        raise BadInput(f"{type(form).__name__} {said}, which one layer by itself cannot have: {_STACK}.")
    parts = form.branch(places[0], Parts((norm.build(width),), SUBLAYERS[kind]))
    return Around(parts.before, form.connection(places[0]), parts.behind)


def _parts(form: Form, site: Site) -> str:
    with torch.device("cpu"):
        parts = form.branch(site, Parts((nn.Identity(),), SUBLAYERS[site.kind]))
    modules = [*parts.before, nn.Identity(), *parts.behind]
    return f"{modules!r} {[(k, v.tolist()) for each in modules for k, v in each.state_dict().items()]}"
