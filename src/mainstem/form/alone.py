"""The connection of a form for one residual of somebody's. May import nn, stream and its neighbours here."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..errors import BadInput
from ..nn import AttentionSpec, FeedForwardSpec, Spec
from ..stream import Connection, Site, sites
from .base import Form, Multipliers, Parts

SUBLAYERS: dict[str, Spec] = {"attention": AttentionSpec(4, 2), "feedforward": FeedForwardSpec(4, 4)}
"""Sublayers of ours, by which it is seen what a form makes of one."""

ROLES = tuple(f"attention.{name}" for name in ("query", "key", "value", "out")) + tuple(
    f"feedforward.{name}" for name in ("in", "gate", "out")
)
"""Roles of the matrices inside sublayers."""

_STACK = "put the layers into mainstem.Stack(form, layers, width)"


def connection(form: Form, width: int | None, site: Site | None) -> Connection:
    """Return the connection of `form` at `site`, or that of every site of a model of `width`.

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
            "(mainstem.stream.sites)"
        )
    places = [site] if site is not None else []
    if width is not None and site is None:
        places = _places(width)
        if len({_described(form, place) for place in places}) > 1:
            raise BadInput(
                f"{name} connects sublayers differently by where they stand in the model, and no site= was given: give "
                f"that of mainstem.stream.sites(kinds, blocks, width), or {_STACK}"
            )
    for place in places:
        if (said := _says_more(form, place)) is not None:
            raise BadInput(f"{name} {said}, which a connection alone does not do: {_STACK}")
    return form.connection(places[0])


def _places(width: int) -> list[Site]:
    """Return places between which a form may tell: ends, middles and sublayers of a short and of a long model."""
    kinds = tuple(SUBLAYERS)
    return [*sites(kinds, 1, width), *sites(kinds, 6, width)]


def _described(form: Form, site: Site) -> str:
    with torch.random.fork_rng(devices=[]):  # initial weights may be drawn, and are alike only from one seed
        torch.manual_seed(0)
        made = form.connection(site)
    values = [(key, value.tolist()) for key, value in made.state_dict().items()]
    return f"{made!r} {values} {[(k, v) for k, v in vars(made).items() if not k.startswith('_')]}"


def _says_more(form: Form, site: Site) -> str | None:
    """Return what `form` does beside connecting, or None."""
    if len(form.groups(tuple(SUBLAYERS))) < len(SUBLAYERS):
        return "has sublayers share a residual"
    with torch.device("meta"):
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
