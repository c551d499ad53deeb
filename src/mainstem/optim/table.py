"""The audit table: one row for each tensor of a model, with all that its optimizer and the penalties do to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from torch import nn
from torch.optim import Optimizer

from .groups import Multipliers, multipliers
from .roles import named, roles, select


class Penalty(Protocol):
    """What the table asks of a term of the loss."""

    @property
    def on(self) -> str | None: ...


class Row(NamedTuple):
    """One tensor: `init` is a factor on its initial weights, `lr` its peak, `penalties` the terms of the loss it is in.

    A tensor that the optimizer does not have, as a frozen one, has the method "" and the rates 0.
    """

    name: str
    shape: tuple[int, ...]
    role: str
    init: float
    lr: float
    decay: float
    eps: float
    method: str
    after: tuple[str, ...]
    penalties: tuple[str, ...]


def table(model: nn.Module, optimizer: Optimizer, penalties: Sequence[Penalty] = ()) -> list[Row]:
    """Return one row for each tensor of `model`, by what stands in `optimizer.param_groups` now.

    Raises:
        BadInput: where a module publishes an unknown role, or the pattern of a penalty fits nothing.

    Example:
        >>> from mainstem import optim
        >>> layer = nn.Linear(3, 2, bias=False)
        >>> table(layer, optim.AdamW(optim.groups(layer, decay=0.1), lr=0.01))[0][:6]
        ('weight', (2, 3), 'linear', 1.0, 0.01, 0.1)
    """
    role_of, factors = roles(model), multipliers(model)
    taken = [(repr(penalty), select(model, penalty.on)) for penalty in penalties]
    group_of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    rows = []
    for name, parameter in named(model).items():
        group = group_of.get(id(parameter), {})
        rows.append(Row(
            name,
            tuple(parameter.shape),
            role_of[name],
            factors.get(name, Multipliers()).init,
            float(group.get("peak", group.get("lr", 0.0))),
            float(group.get("weight_decay", 0.0)),
            float(group.get("eps", 0.0)),
            group.get("method", type(optimizer).__name__.lower()) if group else "",
            tuple(group.get("after", ())),
            tuple(label for label, chosen in taken if name in chosen),
        ))  # fmt: skip
    return rows
