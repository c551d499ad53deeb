"""Several language models of one size as one: each learns by itself, and what is predicted is the mean of all.

Shapes: B batch, T position, V vocabulary, K members.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import noise, ops
from ..nn import Cache
from .language_model import LanguageModel
from .seen import Objective
from .settings import Settings


class Ensemble(nn.Module):
    """K language models that differ in their initial weights and in what they drop, as one model.

    Formula:
        p(token | before) = 1/K sum_k p_k(token | before), and ``-ln p`` is its loss in eval mode

    In training mode each member learns by itself, on the same batch: the loss that is returned is the mean of theirs,
    1/K sum_k -ln p_k, and its backward gives each member the whole gradient of its own, not a K-th of it. So K members
    go through the numbers that K trainings of one would go through, each with the initial weights and masks that
    belong to its names (``members.0.blocks.1...``). `optim.update` clips the gradient of each by its own norm.

    Shapes:
        int64 [B, T] -> float32 [B, T, V]: the logarithms of the mean probabilities, in either mode.

    Args:
        settings: those of a `LanguageModel`, with `members` of at least 2 (or 1, which is one under another name).
        seed: what initial weights are drawn from, by name; without one they are whatever.

    Source:
        Lakshminarayanan et al., "Simple and scalable predictive uncertainty estimation using deep ensembles"
        (arXiv 1612.01474), section 2.4, without its adversarial examples. Kim et al., "Pre-training under infinite
        compute" (arXiv 2509.14786), has ensembles of language models on limited text; it averages logits.

    Example:
        >>> model = Ensemble(Settings(vocab=65, layers=2, width=32, heads=2, context=16, members=3), seed=0)
        >>> float(model(torch.zeros(1, 5, dtype=torch.int64)).detach().exp().sum(-1).mean().round(decimals=4))
        1.0
    """

    def __init__(self, settings: Settings, seed: int | None = 0) -> None:
        super().__init__()
        self.settings = settings
        each = replace(settings, members=1)
        self.members = nn.ModuleList(
            LanguageModel(each, seed, within=f"members.{number}.") for number in range(settings.members)
        )
        noise.bind(self)

    @property
    def context(self) -> int:
        return self.settings.context

    def networks(self) -> dict[str, nn.Module]:
        """Return the members by path: what reads this clips, measures and selects in each of them alike."""
        return {f"members.{number}": member for number, member in enumerate(self.members)}

    def set_checkpoint(self, recompute: bool) -> None:
        """Let backward compute the activations of each block again in place of keeping them."""
        for member in self.members:
            member.set_checkpoint(recompute)  # type: ignore[operator]

    def forward(
        self,
        tokens_BT: Tensor,
        documents_BT: Tensor | None = None,
        cache: Cache | None = None,
        targets_BT: Tensor | None = None,
        reduction: Literal["sum", "none"] = "sum",
        shown_BT: Tensor | None = None,
        objective: Objective | None = None,
        **terms: Any,
    ) -> Tensor:
        """Return ln p [B, T, V]; with targets their losses in nats: the members' mean in training, else the mixture's.

        Of these it is the sum, or with `reduction` "none" each position's own, float32 [B, T]. `shown_BT`, `objective`
        and `terms` are as `LanguageModel` has them; an objective and the sizes of activations are of training alone.
        """
        given = tokens_BT, documents_BT, cache, shown_BT
        if targets_BT is None:
            return self._mixture(*given)
        if self.training:
            how: dict[str, Any] = {"targets_BT": targets_BT, "reduction": reduction, "objective": objective, **terms}
            return _each_alone(self._each(*given, **how))
        terms = {name: value for name, value in terms.items() if name in ops.Terms._fields}
        if any(terms.values()):
            log_NV = self._mixture(*given).flatten(0, 1)
            loss_BT = ops.from_logits([log_NV], targets_BT.flatten(), 0.0, ops.Terms(**terms)).view_as(targets_BT)
        else:
            loss_BT = self._losses(targets_BT, *given)
        return loss_BT if reduction == "none" else loss_BT.sum()

    def losses(self, tokens_BT: Tensor, targets_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """Return the mixture's cross-entropy at each position in nats, float32 [B, T], without logits of all words."""
        return self._losses(targets_BT, tokens_BT, documents_BT)

    def config(self) -> dict[str, Any]:
        """Return JSON values from which `model.network` builds the same model, weights aside."""
        return self.settings.to_json()

    def _losses(self, targets_BT: Tensor, *given: Any) -> Tensor:
        # The mean at one word needs nothing of the others, which each member makes in parts.
        each = self._each(*given, targets_BT=targets_BT, reduction="none")
        log_KBT = -torch.stack(tuple(each))
        return math.log(len(self.members)) - log_KBT.logsumexp(0)

    def _mixture(self, *given: Any) -> Tensor:
        total_BTV: Tensor | None = None
        for logits_BTV in self._each(*given):  # no more than two are held at once
            log_BTV = F.log_softmax(logits_BTV, -1)
            total_BTV = log_BTV if total_BTV is None else torch.logaddexp(total_BTV, log_BTV)
        assert total_BTV is not None
        return total_BTV - math.log(len(self.members))

    def _each(
        self,
        tokens_BT: Tensor,
        documents_BT: Tensor | None,
        cache: Cache | None = None,
        shown_BT: Tensor | None = None,
        **how: Any,
    ) -> Iterator[Tensor]:
        for number, member in enumerate(self.members):
            own = None if cache is None else cache.part(number)
            yield member(tokens_BT, documents_BT, own, shown_BT=shown_BT, **how)
        if cache is not None:
            cache.length = cache.part(0).length


def _each_alone(losses: Iterable[Tensor]) -> Tensor:
    """Return the mean of `losses`, whose backward gives each of them the gradient that it has by itself."""
    each = torch.stack(tuple(losses))
    total = each.sum(0)
    return each.mean(0).detach() + (total - total.detach())
