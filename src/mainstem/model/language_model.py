"""The causal language model: embedding, stream, blocks, head.

Shapes: B batch, T position, D width, V vocabulary.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .. import counter, execute, noise, ops, variants
from ..errors import BadInput
from ..nn import Cache, Context, Embedding, Linear
from ..nn.built import plain_linear
from ..nn.tally import Tally, gathering
from ..optim.groups import Multipliers
from ..optim.roles import roles
from ..stream import State, leaves
from ..stream.calling import called
from .block import block, places
from .init import chosen, initialise
from .seen import Objective, Seen
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
        objective: Objective | None = None,
        **terms: Any,
    ) -> Tensor:
        """Return logits [B, T, V]; with targets their cross-entropies in nats, for which logits are never whole.

        Of these it is the sum, or with `reduction` "none" each position's own, float32 [B, T]. `terms` are
        `label_smoothing`, `z_loss` and `confidence`, as `ops.cross_entropy` has them, and `hidden_l1` and `hidden_l2`,
        factors on the mean of |h| and h^2 over the hidden units of all feed-forward sublayers at a position, and
        `stream_l1` and `stream_l2`, the same of the stream behind the last block. The row of a token is multiplied by
        its `shown_BT`; 0 hides it. An `objective` makes another loss of what it sees of the batch, in place of the
        cross-entropy: `mainstem.model.seen` has what it is given.
        """
        # Weights may be brought here from a host; those of the meta device are none.
        apart = {"the model": self.embedding.weight} if self.embedding.weight.is_meta != tokens_BT.is_meta else {}
        for what, other in (*apart.items(), ("targets", targets_BT), ("documents", documents_BT)):
            if other is not None and other.device != tokens_BT.device:
                raise BadInput(
                    f"The tokens are on {tokens_BT.device}, and {what} on {other.device}: move them to one device, and "
                    "a model from the meta device by to_empty and its weights."
                )
        hidden, end = gathering(terms, "hidden", self.settings.layers), gathering(terms, "stream", 1)
        loss = ops.Terms(**terms, soft_cap=self.settings.soft_cap or 0.0)
        given = tokens_BT, documents_BT, cache, shown_BT
        if targets_BT is None:
            return self._logits(self.features(*given))
        seen = Seen(self, functools.partial(self.features, *given, hidden, end), targets_BT, reduction, loss)
        found = seen.cross_entropy() if objective is None else objective(seen)
        for tally in (hidden, end):
            if tally is not None:
                zero_BT = torch.zeros(targets_BT.shape, dtype=found.dtype, device=found.device)
                added_BT = tally.total(zero_BT) / seen.passes
                found = found + (added_BT if reduction == "none" else added_BT.sum())
        return found

    def _logits(self, x_BTD: Tensor) -> Tensor:
        return self.bounded(x_BTD).float()

    def bounded(self, x_BTD: Tensor) -> Tensor:
        """Return what the head makes of features, whole [B, T, V], in their dtype, but float32 at least."""
        if self.head is not None and not plain_linear(self.head):
            z_BTV = self.head(x_BTD)
        else:
            z_BTV = ops.linear(x_BTD, self.head_weight().to(x_BTD.dtype))
        wide = torch.promote_types(z_BTV.dtype, torch.float32)
        return ops.capped(z_BTV.to(wide), self.settings.soft_cap or 0.0)

    def head_weight(self) -> Tensor:
        """Return the matrix of the head [V, D]: its own, or the embedding's."""
        if self.head is not None:
            return self.head.weight
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
        end: Tally | None = None,
    ) -> Tensor:
        """Return what the head reads [B, T, D]; `tally` is told of hidden units on the way, `end` of the last state."""
        if tokens_BT.shape[1] + (cache.length if cache else 0) > self.context and self.settings.positions == "learned":
            raise BadInput(f"{tokens_BT.shape[1]} tokens do not fit into the context of {self.context}: give fewer.")
        positions = None
        if cache is not None and cache.length:
            positions = torch.arange(cache.length, cache.length + tokens_BT.shape[1], device=tokens_BT.device)
        ctx = Context(positions=positions, documents=documents_BT, cache=cache, shown=shown_BT, tally=tally)
        x_BTD: Tensor = called(self.embedding, "The model's", tokens_BT, ctx)
        recomputed = self.recompute and self.training
        behind = None if end is None else functools.partial(_gather, end)
        return execute.run(self.stream, self.blocks, x_BTD, ctx, recomputed=recomputed, behind=behind)

    def config(self) -> dict[str, Any]:
        """Return JSON values from which `from_config` builds the same model, weights aside."""
        return self.settings.to_json()

    @staticmethod
    def from_config(values: dict[str, Any], seed: int | None = 0) -> LanguageModel:
        return LanguageModel(Settings.from_json(values), seed)


def _gather(end: Tally, state: State) -> None:
    """Let `end` gather from all that a form keeps as its stream, position by position."""
    end.add(torch.cat([x.flatten(2) for x in leaves(state.main)], dim=-1))
