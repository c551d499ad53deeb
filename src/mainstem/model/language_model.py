"""The causal language model: embedding, stream, blocks, head. May import form, stream, nn, noise, ops, optim's
roles.

Shapes: B batch, T position, D width, V vocabulary.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from .. import counter, execute, noise, ops, variants
from ..errors import BadInput
from ..nn import Cache, Context, Embedding, Linear
from ..nn.built import plain_linear
from ..nn.tally import Tally
from ..optim.groups import Multipliers
from ..optim.roles import roles
from .block import block, places
from .init import chosen, initialise
from .settings import Settings, norm_of


class LanguageModel(nn.Module):
    """Logits of the next token at each position: int64 [B, T] -> float32 [B, T, V].

    Initial weights are drawn from `seed`; without one they are whatever, for a model that is given others. `within`
    is the name of this model inside of another one, with a dot behind it: weights are drawn by whole names.

    Example:
        >>> model = LanguageModel(Settings(vocab=65, layers=2, width=32, heads=2, context=16), seed=0)
        >>> model(torch.zeros(1, 5, dtype=torch.int64)).shape
        torch.Size([1, 5, 65])
    """

    def __init__(self, settings: Settings, seed: int | None = 0, within: str = "") -> None:
        super().__init__()
        if settings.members != 1:
            raise BadInput(
                f"model.members is {settings.members}, and a LanguageModel is one network: use mainstem.model.Ensemble."
            )
        self.settings = settings
        self.recompute = False
        form = settings.form
        chosen(settings.init, form)
        # Layers draw weights of their own when they are made, which the counter's replace below. What a stranger's
        # module keeps of them is a function of the seed too.
        own = counter.site_id("init", within) if within else 0
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(((seed or 0) + own) % 2**63)
            self._build(settings)
        if seed is not None:
            specs = settings.specs()
            found = places(form, specs, settings.layers, settings.width, self._norm)
            initialise(self, roles(self), form, found, settings.init, seed, within)
        noise.bind(self)

    def _build(self, settings: Settings) -> None:
        form, specs = settings.form, settings.specs()
        self._norm = norm_of(settings.norm, settings.eps)
        found = places(form, specs, settings.layers, settings.width, self._norm)
        learned = settings.context if settings.positions == "learned" else None
        beside = variants.resolve("embedding", settings.embedding).build(settings.vocab, settings.width)
        noises, step = settings.noises(), len(specs)
        rows = {
            point: [n for n in noises if n.at == f"embedding.{point}" and n.drops]
            for point in ("inputs", "tokens", "out")
        }
        self.embedding = Embedding(settings.vocab, settings.width, learned, beside, rows)
        self.blocks = nn.ModuleList(
            block(form, found[at : at + step], settings.specs(at // step), noises) for at in range(0, len(found), step)
        )
        self.stream = form.stream(found)
        self._site = found[0]
        self.head = None if settings.head == "tied" else Linear(settings.width, settings.vocab)

    @property
    def context(self) -> int:
        return self.settings.context

    def roles(self) -> dict[str, str]:
        return {} if self.head is None else {"head.weight": "head"}

    def multipliers(self) -> dict[str, Multipliers]:
        """Return the factors that the residual form puts on learning rates, decay and eps, by parameter."""
        form, site = self.settings.form, self._site
        found = {name: form.multipliers(role, site, name.startswith("blocks.")) for name, role in roles(self).items()}
        return {name: Multipliers(lr=each.lr, decay=each.decay, eps=each.eps) for name, each in found.items()}

    def set_checkpoint(self, recompute: bool) -> None:
        """Let backward compute the activations of each block again in place of keeping them."""
        self.recompute = recompute

    def forward(
        self,
        tokens_BT: Tensor,
        documents_BT: Tensor | None = None,
        cache: Cache | None = None,
        targets_BT: Tensor | None = None,
        reduction: Literal["sum", "none"] = "sum",
        shown_BT: Tensor | None = None,
        agreement: float = 0.0,
        **terms: float,
    ) -> Tensor:
        """Return logits [B, T, V]; with targets their cross-entropies in nats, for which logits are never whole.

        Of these it is the sum, or with `reduction` "none" each position's own, float32 [B, T]. `terms` are
        `label_smoothing`, `z_loss` and `confidence`, as `ops.cross_entropy` has them, and `hidden_l1` and `hidden_l2`,
        factors on the mean of |h| and h^2 over the hidden units of all feed-forward sublayers at a position. The row of
        a token is multiplied by its `shown_BT`; 0 hides it. With an `agreement` above 0 there is a second pass with
        other masks, and the loss is `ops.agreeing`'s of both.
        """
        l1, l2 = (terms.pop(name, 0.0) / self.settings.layers for name in ("hidden_l1", "hidden_l2"))
        loss = ops.Terms(**terms, soft_cap=self.settings.soft_cap or 0.0)
        tally = Tally(l1, l2) if targets_BT is not None and (l1 or l2) else None
        given = tokens_BT, documents_BT, cache, shown_BT, tally
        views = [self.features(*given)]
        if agreement and targets_BT is not None:
            with counter.other_view():
                views.append(self.features(*given))
        if targets_BT is None:
            return self._logits(views[0])
        found = self._compared(views, targets_BT, reduction, agreement, loss)
        if tally is None:
            return found
        zero_BT = torch.zeros(targets_BT.shape, dtype=found.dtype, device=found.device)
        hidden_BT = tally.total(zero_BT) / len(views)
        return found + (hidden_BT if reduction == "none" else hidden_BT.sum())

    def _logits(self, x_BTD: Tensor) -> Tensor:
        cap = self.settings.soft_cap or 0.0
        if self.head is not None and not plain_linear(self.head):
            return ops.capped(self.head(x_BTD).float(), cap)
        weight = self._tied() if self.head is None else self.head.weight
        return ops.capped(ops.linear(x_BTD, weight.to(x_BTD.dtype)).float(), cap)

    def _compared(
        self,
        views: list[Tensor],
        targets_BT: Tensor,
        reduction: Literal["sum", "none"],
        agreement: float,
        loss: ops.Terms,
    ) -> Tensor:
        """Return the loss of what one or two passes give to the head."""
        targets_N = targets_BT.flatten()
        if self.head is not None and not plain_linear(self.head):
            # The head is changed, sharded or hooked: it has to be called, which makes whole logits.
            logits = [self.head(x_BTD) for x_BTD in views]
            wide = torch.promote_types(logits[0].dtype, torch.float32)
            logits = [ops.capped(each.to(wide), loss.soft_cap).flatten(0, 1) for each in logits]
            loss_N = ops.from_logits(logits, targets_N, agreement, loss)
            return loss_N.view_as(targets_BT) if reduction == "none" else loss_N.sum()
        weight = self._tied() if self.head is None else self.head.weight
        kind = weight.device.type
        if torch.is_autocast_enabled(kind):  # as it would have made of the product
            views = [x_BTD.to(torch.get_autocast_dtype(kind)) for x_BTD in views]
        flat = [x_BTD.flatten(0, 1) for x_BTD in views]
        if len(flat) == 2:
            loss_N = ops.agreeing(flat[0], flat[1], weight, targets_N, coef=agreement, terms=loss)
            return loss_N.view_as(targets_BT) if reduction == "none" else loss_N.sum()
        found = ops.cross_entropy(flat[0], weight, targets_N, reduction=reduction, **loss._asdict())
        return found.view_as(targets_BT) if reduction == "none" else found

    def _tied(self) -> Tensor:
        weight = self.embedding.weight
        if type(weight).__name__ == "DTensor":
            raise BadInput(
                "The embedding is sharded by itself, so the tied head cannot read its weight: shard the model as a "
                "whole, which gathers both, or use model.head untied."
            )
        return weight

    def losses(self, tokens_BT: Tensor, targets_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """Return each position's cross-entropy in nats, float32 [B, T]; a held-out pass asks for nothing else."""
        found: Tensor = self(tokens_BT, documents_BT, targets_BT=targets_BT, reduction="none")
        return found

    def features(
        self,
        tokens_BT: Tensor,
        documents_BT: Tensor | None = None,
        cache: Cache | None = None,
        shown_BT: Tensor | None = None,
        tally: Tally | None = None,
    ) -> Tensor:
        """Return what the head reads [B, T, D]; a `tally` is told of hidden units on the way."""
        if tokens_BT.shape[1] + (cache.length if cache else 0) > self.context and self.settings.positions == "learned":
            raise BadInput(f"{tokens_BT.shape[1]} tokens do not fit into the context of {self.context}: give fewer.")
        positions = None
        if cache is not None and cache.length:
            positions = torch.arange(cache.length, cache.length + tokens_BT.shape[1], device=tokens_BT.device)
        ctx = Context(positions=positions, documents=documents_BT, cache=cache, shown=shown_BT, tally=tally)
        x_BTD = self.embedding(tokens_BT, ctx)
        return execute.run(self.stream, self.blocks, x_BTD, ctx, recomputed=self.recompute and self.training)

    def config(self) -> dict[str, Any]:
        """Return JSON values from which `from_config` builds the same model, weights aside."""
        return self.settings.to_json()

    @staticmethod
    def from_config(values: dict[str, Any], seed: int | None = 0) -> LanguageModel:
        return LanguageModel(Settings.from_json(values), seed)
