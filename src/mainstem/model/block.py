"""The block that a form makes of specs. May import form, stream, nn and noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from torch import nn

from ..errors import BadInput
from ..form import Form, Parts
from ..nn import Spec
from ..noise import Dropout, StochasticDepth
from ..stream import Block, Residual, Site, Sum


def block(form: Form, sites: list[Site], specs: list[Spec], rates: Mapping[str, float], depth: list[float]) -> Block:
    """Return the block at `sites`, one site for each of `specs`.

    `rates` is the dropout behind each kind of branch; `depth` the rate of stochastic depth at each site.
    """
    names = sublayer_names(site.kind for site in sites)
    by_name = dict(zip(names, zip(sites, specs, depth, strict=True), strict=True))
    residuals: dict[str, Residual] = {}
    for group in form.groups(tuple(names)):
        branches: dict[str, list[nn.Module]] = {}
        publishes = False
        for name in group:
            site, spec, _ = by_name[name]
            parts = form.branch(site, Parts((site.norm.build(site.width),), spec))
            publishes = publishes or getattr(parts.sublayer, "publishes", None) is not None
            branches[name] = parts.build()
            if rates[site.kind]:
                branches[name].append(Dropout(rates[site.kind]))
        members = [by_name[name] for name in group]
        first, last = members[0][0], members[-1][0]
        site = first if len(group) == 1 else _joined(first, last)
        rate = members[-1][2]
        # Values that later blocks need must be there for every sample.
        skip = StochasticDepth(rate) if rate and not publishes else None
        branch = branches[group[0]] if len(group) == 1 else [Sum(branches)]
        residuals["_".join(group)] = Residual(branch, form.connection(site), skip)
    return Block(residuals)


def sublayer_names(kinds: Iterable[str]) -> list[str]:
    """Return a name for each sublayer of a block: its kind, numbered from the second of a kind on.

    >>> sublayer_names(["feedforward", "attention", "feedforward"])
    ['feedforward', 'attention', 'feedforward_2']
    """
    counts: Counter[str] = Counter()
    names = []
    for kind in kinds:
        counts[kind] += 1
        names.append(kind if counts[kind] == 1 else f"{kind}_{counts[kind]}")
    return names


def _joined(first: Site, last: Site) -> Site:
    if not first.first_in_block:
        raise BadInput("a form groups sublayers that do not follow one another: group neighbours only")
    return replace(first, last_in_block=last.last_in_block)
