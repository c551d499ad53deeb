"""All that a language model is built from, as one frozen value.

Shapes: V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple

import msgspec

from .. import catalogue, noise, variants
from ..config.presets import hidden_width
from ..config.sections import ActivationName, NormName, NormOrNone
from ..errors import BadInput
from ..form import Form, parse, written
from ..nn import AttentionSpec, FeedForwardSpec, NormSpec, Spec
from ..noise import Bernoulli, NoiseSpec, Rate
from ..noise.branches import Branches
from ..wording import several


@dataclass(frozen=True)
class Rates:
    """Dropout rates of the five sites, and the last sublayer's rate of stochastic depth; all off by default."""

    embedding: float = 0.0
    attention_weights: float = 0.0
    attention: float = 0.0
    hidden: float = 0.0
    feedforward: float = 0.0
    depth: float = 0.0

    def noises(self) -> tuple[NoiseSpec, ...]:
        """Return what these rates stand for, without those that are 0."""
        every = (
            Bernoulli(self.embedding, "embedding.out"),
            Bernoulli(self.attention_weights, "attention.weights"),
            Bernoulli(self.attention, "attention.branch"),
            Bernoulli(self.hidden, "feedforward.hidden"),
            Bernoulli(self.feedforward, "feedforward.branch"),
            Branches(Rate(self.depth, depth="linear")),
        )
        return tuple(one for one in every if one.drops)


def norm_of(name: str, eps: float | None = None) -> NormSpec:
    """Return the norm that the catalogue lists under `name`; `eps` is what it adds under the root, or its own.

    Example:
        >>> norm_of("rms").build(8), norm_of("layer", eps=1e-12).build(8)
        (RMSNorm(8, eps=1e-06), LayerNorm(8, eps=1e-12))
    """
    return NormSpec(catalogue.resolve("norm", name), eps)


_USUAL = (("members", 1), ("sizes", None))
"""Settings that are not written down."""


class Sizes(NamedTuple):
    """How many heads, heads of keys and values, and hidden units one block has."""

    heads: int
    kv_heads: int
    hidden: int


@dataclass(frozen=True)
class Settings:
    """A causal language model, in numbers and names. `residual` is a form, or what `form.parse` makes into one.

    Args:
        hidden: 4 times the width if left out, 8/3 times it for swiglu.
        embedding: an `nn.EmbeddingSpec`, or a name of the catalogue, or a name and its values.
        soft_cap: logits z become c tanh(z / c) with this c, in training and ever after; none if left out.
        head_width: the width divided by the heads if left out. `eps` is that of all norms; each kind's own if left out.
        sizes: those of each block, where blocks differ, as in a model that was pruned.
        members: networks of these sizes in an `Ensemble`; 1 is a `LanguageModel`.

    Example:
        >>> Settings(vocab=65, layers=2, width=32, heads=2, context=16).specs()[0].rotary_base
        10000.0
    """

    vocab: int
    layers: int
    width: int
    heads: int
    context: int
    kv_heads: int | None = None
    head_width: int | None = None
    hidden: int | None = None
    norm: NormName = "rms"
    eps: float | None = None
    feedforward: ActivationName = "relu2"
    qk_norm: NormOrNone = "rms"
    positions: Literal["rotary", "learned", "none"] = "rotary"
    rotary_base: float = 10000.0
    head: Literal["tied", "untied"] = "tied"
    soft_cap: float | None = None
    embedding: Any = "token"
    init: str = "auto"
    residual: Any = "pre_norm"
    rates: Rates = field(default_factory=Rates)
    also: Any = ()
    members: int = 1
    sizes: tuple[Sizes, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("vocab", "layers", "width", "heads", "context", "members"):
            if getattr(self, name) < 1:
                raise BadInput(f"model.{name} is {getattr(self, name)}: give a whole number of at least 1.")
        if self.soft_cap is not None and not 0 < self.soft_cap < math.inf:
            raise BadInput(f"model.soft_cap is {self.soft_cap}: give a finite number above 0, or leave it out.")
        if self.sizes is not None and (len(self.sizes) != self.layers or min(min(each) for each in self.sizes) < 1):
            raise BadInput(
                f"model.sizes has {several(len(self.sizes), 'block')} of {self.layers}, or one of nothing: give all."
            )
        if self.head_width is None and self.width % self.heads:
            raise BadInput(
                f"model.heads {self.heads} does not divide model.width {self.width}: change one of them, or give "
                "model.head_width."
            )

    @property
    def form(self) -> Form:
        return parse(self.residual)

    def specs(self, block: int = 0) -> list[Spec]:
        """Return the sublayers of a block, before a form changes them."""
        hidden = self.hidden or hidden_width(self.width, self.feedforward)
        sizes = (self.heads, self.kv_heads, hidden) if self.sizes is None else self.sizes[block]
        attention = AttentionSpec(
            self.width,
            sizes[0],
            kv_heads=sizes[1],
            head_width=self.head_width,
            context=self.context,
            rotary_base=self.rotary_base if self.positions == "rotary" else None,
            qk_norm=None if self.qk_norm == "none" else norm_of(self.qk_norm, self.eps),
        )
        return [attention, FeedForwardSpec(self.width, sizes[2], self.feedforward)]

    def noises(self) -> tuple[NoiseSpec, ...]:
        """Return what is dropped where: what the rates stand for, and behind these `also`."""
        return (*self.rates.noises(), *noise.parse(self.also))

    def to_json(self) -> dict[str, Any]:
        """Return JSON values that `from_json` makes into the same settings, `members` and `sizes` only if unusual."""
        residual = written(self.residual) if isinstance(self.residual, Form) else self.residual
        embedding: Any = variants.written("embedding", variants.resolve("embedding", self.embedding))
        embedding = embedding if len(embedding) > 1 else embedding["name"]
        also = noise.written(noise.parse(self.also))
        found = asdict(replace(self, residual=residual, embedding=embedding, also=also))
        return {name: value for name, value in found.items() if (name, value) not in _USUAL}

    @staticmethod
    def from_json(values: dict[str, Any]) -> Settings:
        """Rebuild settings; an unknown name, or a value of another type, is refused."""
        values = dict(values)
        if (order := values.pop("ngrams", 1)) != 1:  # as they were written before embeddings had names
            values["embedding"] = {"name": "ngrams", "order": order, "rows": values.get("ngram_rows")}
        values.pop("ngram_rows", None)
        for kind, found in ((Settings, values), (Rates, values.get("rates", {}))):
            known = {f.name for f in fields(kind)}
            if isinstance(found, dict) and (unknown := sorted(set(found) - known)):
                raise BadInput(
                    f"The model's configuration has the unknown name {unknown[0]!r}: was it made by a newer version?"
                )
        try:
            return msgspec.convert(values, Settings)
        except msgspec.ValidationError as error:
            raise BadInput(f"The model's configuration holds a value of another kind: {error}.") from None
