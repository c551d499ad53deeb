"""The group lasso: whole rows, columns, hidden units or heads become zero together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from ..errors import BadInput
from ..optim import sharded
from ..optim.places import refuse_meta, together
from ..optim.units import KINDS, Units, shrunk, units, weight
from .base import Penalty


@dataclass(frozen=True)
class GroupLasso(Penalty):
    """The group lasso: the norm of each group of weights, so that a group is zero as a whole or not at all.

    Formula:
        R(w) = coef * sum_g sqrt(|g|) |w_g|, |g| the number of weights of group g
        prox: w_g = 0 where |d v_g| <= lr coef sqrt(|g|), else d v / (d + lr coef sqrt(|g|) / |w_g|), d the metric

    A hidden unit is a row of the feed-forward's first matrices and a column of its last, a head its rows of queries,
    keys and values and its columns of the output; where heads share keys and values, those heads together. As a
    proximal step (`optim.proximal`) it makes units exactly zero, and ``mainstem prune`` takes them out. An average of
    the weights (`optim.average`) has none, as it remembers what they were.

    Args:
        over: what a group is: rows, columns, hidden (units) or heads.
        held: the groups of the model; `begin` fills it.

    Raises:
        BadInput: an unknown kind of group, or a model that has none.

    Source:
        Yuan and Lin, "Model selection and estimation in regression with grouped variables" (2006), with the weight
        sqrt(|g|); in the metric of Adam as ProxGen (2006.07065) has proximal steps.
        Read: abstract of ProxGen; nothing of the original.
        Differs: no factor of one half.

    Example:
        >>> layer = nn.Linear(2, 1, bias=False)
        >>> layer.weight.data = torch.tensor([[3.0, 4.0]])
        >>> round(GroupLasso(1.0)(layer).item(), 4)
        7.0711
        >>> GroupLasso(1.0).prox(torch.tensor([[3.0, 4.0], [0.1, 0.1]]), lr=0.5**0.5)
        tensor([[2.4000, 3.2000],
                [0.0000, 0.0000]])
    """

    elementwise: ClassVar[bool] = False

    over: Literal["rows", "columns", "hidden", "heads"] = "rows"
    held: tuple[Units, ...] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.over not in KINDS:
            raise BadInput(f"over {self.over!r} of GroupLasso is no kind of group: use {', '.join(KINDS)}.")

    def begin(self, model: nn.Module, anchor: Mapping[str, Tensor] | None = None) -> GroupLasso:
        return replace(self, held=tuple(units(model, self.over, self.on)))

    def __call__(self, model: nn.Module) -> Tensor:
        every = units(model, self.over, self.on)
        named = {name: p for each in every for name, p in zip(each.names, each.params, strict=True)}
        refuse_meta(list(named.values()), list(named))
        norms = [_norms(each.flat([sharded.wide(p) for p in each.params])).sum() * weight(each.size) for each in every]
        return self.coef * torch.stack(together(norms)).sum()

    def of(self, w: Tensor) -> Tensor:
        rows = self._rows(w)
        return weight(rows.shape[1]) * _norms(rows).sum()

    def prox(self, v: Tensor, lr: float, metric: Tensor | float = 1.0) -> Tensor:
        rows = self._rows(v)
        d = self._rows(metric) / lr if isinstance(metric, Tensor) else metric / lr
        found = shrunk(rows, d, self.coef * weight(rows.shape[1]))
        if v.dim() < 2:
            return found.view_as(v)
        axis = KINDS.index(self.over) if self.over == "columns" else 0
        return found.view(v.movedim(axis, 0).shape).movedim(0, axis)

    def _rows(self, w: Tensor) -> Tensor:
        if w.dim() < 2:
            return w.reshape(1, -1)
        return (w.movedim(1, 0) if self.over == "columns" else w).reshape(w.shape[int(self.over == "columns")], -1)

    def prox_of(self, each: Units, values: Sequence[Tensor], metrics: Sequence[Tensor]) -> list[Tensor]:
        """Return the proximal step of all parts of some units; `metrics` are divided by the parts' learning rates."""
        found = shrunk(each.flat(values), each.flat(metrics), self.coef * weight(each.size))
        return each.parts(found)


def _norms(rows_GS: Tensor) -> Tensor:
    return torch.linalg.vector_norm(rows_GS, dim=1)
