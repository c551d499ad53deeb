"""A batch as a loss sees it: what the head reads of it, and what is made of that.

Shapes: B batch, T position, D width, V vocabulary, N tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from .. import counter, ops
from ..nn.built import plain_linear
from ..ops.dispatch import autocasts


class Network(Protocol):
    """What `Seen` needs of a model: its head, None where it is tied to the embedding, and what the head makes."""

    @property
    def head(self) -> nn.Module | None: ...

    def bounded(self, x_BTD: Tensor) -> Tensor: ...

    def head_weight(self) -> Tensor: ...


class Seen:
    """One batch of a model in training, from which an objective makes its loss.

    `first` is what the head reads in this pass [B, T, D], and `other` the same of a second pass, with other masks,
    which is computed when it is asked for. What the methods return is the sum over all targets, or each one's own
    [B, T], as `reduction` says. A target of -100 is none, and has a loss of 0.

    Args:
        network: the model.
        features: computes a pass.
        targets_BT: the next token at each position.
        reduction: "sum" or "none".
        terms: what the cross-entropy has beside it, and the bound of the logits.

    Example:
        >>> from mainstem.model import LanguageModel, Settings
        >>> model = LanguageModel(Settings(vocab=5, layers=1, width=8, heads=2, context=4), seed=0)
        >>> tokens, targets = torch.tensor([[0, 1, 2]]), torch.tensor([[1, 2, 3]])
        >>> def brier(seen):  # the squared distance of the probabilities from those of a sure and right prediction
        ...     right_BTV = torch.nn.functional.one_hot(seen.targets_BT.clamp(min=0), 5)
        ...     return seen.reduced((seen.logits().softmax(-1) - right_BTV).square().sum(-1))
        >>> round(model(tokens, targets_BT=targets, objective=brier).item(), 1)
        2.4
    """

    def __init__(
        self,
        network: Network,
        features: Callable[[], Tensor],
        targets_BT: Tensor,
        reduction: Literal["sum", "none"],
        terms: ops.Terms,
    ) -> None:
        self.targets_BT, self.reduction, self.terms = targets_BT, reduction, terms
        self._network, self._features = network, features
        self.first = features()
        self._other: Tensor | None = None

    @property
    def other(self) -> Tensor:
        if self._other is None:
            with counter.other_view():
                self._other = self._features()
        return self._other

    @property
    def passes(self) -> int:
        """How many passes there were."""
        return 1 if self._other is None else 2

    def logits(self) -> Tensor:
        """Return the logits of the first pass, whole [B, T, V]."""
        return self._network.bounded(self.first)

    def reduced(self, loss_BT: Tensor) -> Tensor:
        """Return `loss_BT` at targets that are some, summed where a sum is asked for."""
        loss_BT = loss_BT.where(self.targets_BT != -100, 0.0)
        return loss_BT if self.reduction == "none" else loss_BT.sum()

    def cross_entropy(self, targets_BT: Tensor | None = None, terms: ops.Terms | None = None) -> Tensor:
        """Return the cross-entropy of the first pass, of other targets or with other terms where they are given."""
        return self._compared(
            [self.first],
            self.targets_BT if targets_BT is None else targets_BT,
            0.0,
            self.terms if terms is None else terms,
        )

    def agreeing(self, coef: float) -> Tensor:
        """Return the mean loss of both passes, and `coef` times how far they are apart, as `ops.agreeing` has it."""
        return self._compared([self.first, self.other], self.targets_BT, coef, self.terms)

    def _compared(self, views: list[Tensor], targets_BT: Tensor, coef: float, terms: ops.Terms) -> Tensor:
        network, targets_N = self._network, targets_BT.flatten()
        if network.head is not None and not plain_linear(network.head):
            # The head is changed, sharded or hooked: it has to be called, which makes whole logits.
            logits = [network.bounded(x_BTD).flatten(0, 1) for x_BTD in views]
            return self._shaped(ops.from_logits(logits, targets_N, coef, terms))
        weight = network.head_weight()
        kind = weight.device.type
        if autocasts(kind):  # as it would have made of the product
            views = [x_BTD.to(torch.get_autocast_dtype(kind)) for x_BTD in views]
        flat = [x_BTD.flatten(0, 1) for x_BTD in views]
        if len(flat) == 2:
            return self._shaped(ops.agreeing(flat[0], flat[1], weight, targets_N, coef=coef, terms=terms))
        found = ops.cross_entropy(flat[0], weight, targets_N, reduction=self.reduction, **terms._asdict())
        return found.view_as(targets_BT) if self.reduction == "none" else found

    def _shaped(self, loss_N: Tensor) -> Tensor:
        return loss_N.view_as(self.targets_BT) if self.reduction == "none" else loss_N.sum()


Objective = Callable[[Seen], Tensor]
"""What a step minimises for each target in place of the cross-entropy, which is ``Seen.cross_entropy``."""
