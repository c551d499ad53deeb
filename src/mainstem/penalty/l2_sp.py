"""The L2 penalty towards the weights at the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from torch import Tensor, nn

from ..errors import BadInput
from ..optim import select, sharded
from ..optim.places import refuse_meta
from .base import Penalty, total


@dataclass(frozen=True)
class L2SP(Penalty):
    """L2 towards the starting point: a term of the loss that holds weights near those that training began with.

    Formula:
        R(w) = coef * sum (w - w0)^2; gradient 2 * coef * (w - w0)

    w0 is what `begin` finds in the model: the weights of `train.init_from` in a run that fine-tunes, and the initial
    ones in another. It is part of a checkpoint. It is no proximal step, which does not know whose w0 to take.

    Args:
        held: w0 by the names of the parameters; `begin` fills it.

    Raises:
        BadInput: where it is called before `begin`, or with another model, or given to an optimizer as a proximal step.

    Source:
        Li, Grandvalet and Davoine, "Explicit inductive bias for transfer learning" (2018, 1802.01483), equation 3,
        without its second term, and without the factor of one half.
        Read: code of the authors (holyseven/TransferLearningClassification).
        Differs: no factor of one half, and no second term.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> term = L2SP(0.5).begin(layer)
        >>> _ = layer.weight.data.add_(3.0)
        >>> round(term(layer).item(), 4)
        9.0
    """

    anchored = True
    proximable: ClassVar[bool] = False
    shrinks: ClassVar[bool] = False

    held: Mapping[str, Tensor] | None = field(default=None, compare=False, repr=False)

    def begin(self, model: nn.Module, anchor: Mapping[str, Tensor] | None = None) -> L2SP:
        chosen = select(model, self.on)
        if anchor is None:
            return replace(self, held={name: p.detach().clone() for name, p in chosen.items()})
        self._refuse_unlike(anchor, chosen)
        return replace(self, held={name: anchor[name].to(p.device) for name, p in chosen.items()})

    def anchor(self) -> dict[str, Tensor]:
        return dict(self.held or {})

    def __call__(self, model: nn.Module) -> Tensor:
        if self.held is None:
            raise BadInput(f"{self!r} does not know where training began: call term = term.begin(model) before it.")
        chosen = select(model, self.on)
        refuse_meta(list(chosen.values()), list(chosen))
        held = {name: sharded.beside(w, chosen[name]) if name in chosen else w for name, w in self.held.items()}
        self._refuse_unlike(held, chosen)
        moved = [sharded.wide(p) - sharded.wide(held[name]).to(p.device) for name, p in chosen.items()]
        return self.coef * total(moved, self.of)

    def _refuse_unlike(self, held: Mapping[str, Tensor], chosen: Mapping[str, Tensor]) -> None:
        """Refuse the weights of another model, of which a smaller one would be taken for several by its shape."""
        for name in sorted({*held, *chosen}):
            there, here = (list(some[name].shape) if name in some else None for some in (held, chosen))
            if there != here:
                shapes = "" if there is None or here is None else f", of shape {there} there and {here} here"
                raise BadInput(
                    f"The weights that {self!r} holds on to and the model differ in {name!r}{shapes}: use its own."
                )

    def of(self, w: Tensor) -> Tensor:
        return w.square().sum()

    def prox(self, v: Tensor, lr: float, metric: Tensor | float = 1.0) -> Tensor:
        raise BadInput(f"{self!r} cannot be a proximal step, which does not know where training began: use its loss.")
