"""The block that a form makes of specs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from torch import nn

from ..errors import BadInput
from ..form import Form, Parts
from ..nn import NormSpec, Spec
from ..noise import NoiseSpec
from ..stream import Block, Residual, Site, Sum, sites
from .noises import behind, drop_path, inside


def places(form: Form, specs: Sequence[Spec], blocks: int, width: int, norm: NormSpec) -> list[Site]:
    """Return the sites of `blocks` equal blocks of the sublayers `specs`, writes counted as `form` groups them.

    Example:
        >>> from mainstem import form
        >>> from mainstem.nn import AttentionSpec, FeedForwardSpec
        >>> specs = [AttentionSpec(4, 2), FeedForwardSpec(4, 8)]
        >>> [site.write for site in places(form.Parallel(), specs, 2, 4, NormSpec())]
        [0, 0, 1, 1]
    """
    names = sublayer_names(spec.kind for spec in specs)
    groups = form.groups(tuple(names))
    place = {name: number for number, group in enumerate(groups) for name in group}
    found = sites(tuple(spec.kind for spec in specs), blocks, width, norm)
    return [
        replace(site, write=site.block * len(groups) + place[name], writes=blocks * len(groups))
        for site, name in zip(found, names * blocks, strict=True)
    ]


def block(form: Form, own: list[Site], specs: list[Spec], noises: Sequence[NoiseSpec] = ()) -> Block:
    """Return the block at the sites `own`, one for each of `specs`.

    `noises` are put at their points when the form has said what it does, so behind its own modules there.
    """
    names = sublayer_names(site.kind for site in own)
    by_name = dict(zip(names, zip(own, specs, strict=True), strict=True))
    residuals: dict[str, Residual] = {}
    for group in form.groups(tuple(names)):
        branches: dict[str, list[nn.Module]] = {}
        publishes, grouped = False, len(group) > 1
        for name in group:
            site, spec = by_name[name]
            parts = form.branch(site, Parts((site.norm.build(site.width),), spec))
            publishes = publishes or _publishes(parts.sublayer)
            parts = parts._replace(sublayer=inside(parts.sublayer, site, noises))
            branches[name] = [*parts.build(), *behind(site, noises, grouped)]
        members = [by_name[name] for name in group]
        first, last = members[0][0], members[-1][0]
        site = _joined(first, last) if grouped else first
        # Values that later blocks need must be there for every sample.
        leaves_out = None if publishes else drop_path(last, noises, grouped)
        branch = [Sum(branches)] if grouped else branches[group[0]]
        residuals["_".join(group)] = Residual(branch, form.connection(site), leaves_out)
    return Block(residuals)


def sublayer_names(kinds: Iterable[str]) -> list[str]:
    """Return a name for each sublayer of a block: its kind, numbered from the second of a kind on.

    Example:
        >>> sublayer_names(["feedforward", "attention", "feedforward"])
        ['feedforward', 'attention', 'feedforward_2']
    """
    counts: Counter[str] = Counter()
    names = []
    for kind in kinds:
        counts[kind] += 1
        names.append(kind if counts[kind] == 1 else f"{kind}_{counts[kind]}")
    return names


def _publishes(spec: Spec) -> bool:
    return any(getattr(part, "publishes", False) for parts in spec.parts.values() for part in parts)


def _joined(first: Site, last: Site) -> Site:
    if not first.first_in_block:
        raise BadInput("A form groups sublayers that do not follow one another: group neighbours only.")
    return replace(first, last_in_block=last.last_in_block)
