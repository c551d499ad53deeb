"""The one registry: a name, what it stands for, and where that is. Torch-free: targets are imported when asked for."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import BadInput


@dataclass(frozen=True)
class Spec:
    """One variant: `target` is "module:attribute" below mainstem, or the path of a file of the package.

    `traits` is what has to be known of it before it is loaded, as that imports torch.
    """

    kind: str
    name: str
    target: str
    summary: str
    traits: tuple[str, ...] = ()

    def load(self) -> Any:
        module, colon, attribute = self.target.partition(":")
        if not colon:
            return Path(__file__).parent / self.target
        return getattr(importlib.import_module(f"mainstem.{module}"), attribute)


SPECS = (
    Spec("residual", "pre_norm", "form.pre_norm:PreNorm", "x + F(norm x), the default"),
    Spec("residual", "post_norm", "form.post_norm:PostNorm", "norm(x + F(x)), as the textbook says in 7.4.4"),
    Spec("residual", "sandwich", "form.sandwich:Sandwich", "x + norm(F(norm x))"),
    Spec("residual", "mix_ln", "form.mix_ln:MixLN", "post-norm in the first blocks, pre-norm in the others"),
    Spec(
        "residual",
        "layer_norm_scaling",
        "form.layer_norm_scaling:LayerNormScaling",
        "x + F(norm(x) / sqrt(l)) in block l",
    ),
    Spec("residual", "sub_ln", "form.sub_ln:SubLN", "x + W2 norm(phi(W1 norm x)), a norm inside too"),
    Spec("residual", "output_norm", "form.output_norm:OutputNorm", "x + norm(F(x)), no norm in front"),
    Spec("residual", "peri_ln", "form.peri_ln:PeriLN", "x + norm(F(norm x)) on a normalised embedding"),
    Spec(
        "residual",
        "hybrid_norm",
        "form.hybrid_norm:HybridNorm",
        "norms of q, k and v; norm(x) + F(norm x) around feedforward",
    ),
    Spec("residual", "resi_dual", "form.resi_dual:ResiDual", "a post-norm stream, and the sum of all writes beside it"),
    Spec("residual", "deepnorm", "form.deepnorm:DeepNorm", "norm(alpha x + F(x)), smaller initial branches"),
    Spec("residual", "keel", "form.keel:Keel", "norm(N x + F(norm x)), N sublayers"),
    Spec("residual", "rezero", "form.rezero:ReZero", "x + a F(x), a = 0 at first, no norm"),
    Spec("residual", "fixup", "form.fixup:Fixup", "x + a F(x + b), branches that write 0 at first, no norm"),
    Spec("residual", "layer_scale", "form.layer_scale:LayerScale", "x + g F(norm x), g small at first, by channel"),
    Spec(
        "residual",
        "complete_p",
        "form.complete_p:CompleteP",
        "factors by depth and width: one learning rate for all sizes",
    ),
    Spec("residual", "highway", "form.highway:Highway", "g F(norm x) + (1 - g) x, g = sigmoid(W x + b)"),
    Spec("residual", "laurel", "form.laurel:LAuReL", "a F(norm x) + b (x + B A x), all learned"),
    Spec("residual", "deep_delta", "form.deep_delta:DeepDelta", "x + beta (v - k x) k, k the direction of F(norm x)"),
    Spec("residual", "denseformer", "form.denseformer:DenseFormer", "a learned average over all blocks so far"),
    Spec(
        "residual",
        "weighted_history",
        "form.weighted_history:WeightedHistory",
        "each sublayer reads its own weighted sum of all writes",
    ),
    Spec("residual", "elc", "form.elc:ELC", "each block reads a learned mean of all earlier outputs"),
    Spec(
        "residual",
        "attention_residuals",
        "form.attention_residuals:AttentionResiduals",
        "each sublayer attends to all earlier writes, over depth",
    ),
    Spec(
        "residual",
        "delta_attention_residuals",
        "form.delta_attention_residuals:DeltaAttentionResiduals",
        "each sublayer reads the stream and attends to what was added",
    ),
    Spec("residual", "mudd", "form.mudd:MUDD", "q, k, v and the stream each mix all blocks, by position"),
    Spec("residual", "unet_skips", "form.unet_skips:UNetSkips", "the last blocks see the outputs of the first again"),
    Spec("residual", "reinjection", "form.reinjection:Reinjection", "the embedding again before each block"),
    Spec("residual", "value_residual", "form.value_residual:ValueResidual", "the first block's values in every block"),
    Spec("residual", "lime", "form.lime:LIMe", "keys and values of all earlier blocks, mixed head by head"),
    Spec(
        "residual",
        "embedding_values",
        "form.embedding_values:EmbeddingValues",
        "the embedding in the values of every block",
    ),
    Spec("residual", "hyper", "form.hyper:Hyper", "several streams, mixed by learned weights"),
    Spec("residual", "mhc", "form.mhc:MHC", "several streams, mixed by a doubly stochastic matrix"),
    Spec("residual", "mhc_lite", "form.mhc_lite:MHCLite", "several streams, mixed by a mean of permutations"),
    Spec("residual", "identity_mixing", "form.identity_mixing:IdentityMixing", "several streams that are not mixed"),
    Spec("residual", "reversible", "form.reversible:Reversible", "activations computed back, not stored"),
    Spec("residual", "midpoint", "form.midpoint:Midpoint", "x_(l+1) = x_(l-1) + 2 F(norm x_l), computed back"),
    Spec("residual", "bdia", "form.bdia:BDIA", "g x_(l-1) + (1-g) x_l + (1+g) F(norm x_l), g = +-1/2 drawn"),
    Spec("residual", "canon", "form.canon:Canon", "x + F(c(norm x)), c adds a learned sum of the last positions"),
    Spec("residual", "parallel", "form.parallel:Parallel", "x + attention(norm x) + feedforward(norm x)"),
    Spec("residual", "plain", "form.plain:Plain", "F(norm x), no residual: the control"),
    Spec("norm", "rms", "nn.norm:RMSNorm", "x / rms(x) * gain"),
    Spec("norm", "layer", "nn.norm:LayerNorm", "(x - mean) / sd * gain + bias"),
    Spec("feedforward", "gelu", "ops.activation.gelu:Gelu", "W2 gelu(W1 x)"),
    Spec("feedforward", "relu2", "ops.activation.relu2:ReLU2", "W2 relu(W1 x)^2"),
    Spec("feedforward", "swiglu", "ops.activation.swiglu:SwiGLU", "W2 (silu(Wg x) * W1 x)", ("gated",)),
    Spec("noise", "dropout", "noise.bernoulli:Bernoulli", "elements, or what lies along other axes, at any point"),
    Spec("noise", "depth", "noise.branches:Branches", "whole branches, not computed where dropped"),
    Spec("noise", "layer_drop", "noise.layer_drop:LayerDrop", "whole blocks, not computed where dropped"),
    Spec("noise", "drop_head", "noise.drop_head:DropHead", "whole heads of attention, the others scaled by H / kept"),
    Spec("noise", "drop_key", "noise.drop_key:DropKey", "keys that a query does not see, before the softmax"),
    Spec("noise", "token_dropout", "noise.token_dropout:TokenDropout", "whole embeddings of tokens"),
    Spec("noise", "word_dropout", "noise.word_dropout:WordDropout", "a token wherever it stands in a sequence"),
    Spec("noise", "span_masking", "noise.span_masking:SpanMasking", "tokens in a row, hidden from the network"),
    Spec("noise", "gaussian", "noise.gaussian:Gaussian", "nothing is 0: every element times N(1, rate / (1 - rate))"),
    Spec("penalty", "l1", "penalty.l1:L1", "coef * sum |w|"),
    Spec("penalty", "l2", "penalty.l2:L2", "coef * sum w^2"),
    Spec("penalty", "elastic_net", "penalty.elastic_net:ElasticNet", "coef * sum (|w| + w^2) / 2"),
    Spec("penalty", "l2_sp", "penalty.l2_sp:L2SP", "coef * sum (w - w0)^2, w0 where training began"),
    Spec(
        "penalty", "group_lasso", "penalty.group_lasso:GroupLasso", "coef * sum |w_g|, g rows, columns, units or heads"
    ),
    Spec("penalty", "orthogonality", "penalty.orthogonality:Orthogonality", "coef * sum |w w^T - I|^2"),
    Spec("penalty", "spectral", "penalty.spectral:Spectral", "coef * sum of the largest singular values squared"),
    Spec("loss", "cross_entropy", "train.losses.cross_entropy:CrossEntropy", "-ln p of each token"),
    Spec(
        "loss",
        "masked_inputs",
        "train.losses.masked_inputs:MaskedInputs",
        "the same, and again with some tokens hidden",
    ),
    Spec("loss", "r_drop", "train.losses.r_drop:RDrop", "two passes with other masks, and how far they are apart"),
    Spec("loss", "multi_token", "train.losses.multi_token:MultiToken", "the next few tokens, in the end one alone"),
    Spec(
        "loss", "distillation", "train.losses.distillation:Distillation", "the loss, and the distance to a trained run"
    ),
    Spec("optimizer", "adamw", "optim.adamw_spec:AdamWSpec", "Adam with decoupled weight decay"),
    Spec("optimizer", "muon", "optim.muon_spec:MuonSpec", "orthogonal updates of the matrices, AdamW for the rest"),
    Spec("decay", "decoupled", "optim.before:Decay", "w <- (1 - lr decay) w before each step"),
    Spec("decay", "cautious", "optim.cautious:Cautious", "the same, of weights that the step makes smaller too"),
    Spec("decay", "independent", "optim.independent:Independent", "w <- (1 - s decay) w, s = lr / its peak"),
    Spec("decay", "passes", "optim.passes:Passes", "independent; decay is the passes after which 1 / e is left"),
    Spec("course", "constant", "progress:Constant", "the same, between begin and end"),
    Spec("course", "rising", "progress:Rising", "from 0 up to the whole, between begin and end"),
    Spec("course", "falling", "progress:Falling", "from the whole down to 0, between begin and end"),
    Spec("around", "sam", "optim.sam:SAM", "the gradient at w + rho g / |g|, the worst point nearby"),
    Spec("around", "asam", "optim.asam:ASAM", "the same, by weights in proportion to their size"),
    Spec("skip", "percentile", "optim.percentile:Percentile", "|g| above factor times a percentile of those before"),
    Spec("after", "proximal", "optim.after:Proximal", "argmin of distance + penalty: exact zeros with L1"),
    Spec("after", "max_norm", "optim.max_norm:MaxNorm", "rows of matrices kept within a norm"),
    Spec("average", "ema", "optim.ema:EMA", "exponential, no longer than a tenth of the steps so far"),
    Spec("average", "swa", "optim.swa:SWA", "the mean of the weights over the last steps"),
    Spec("average", "soup", "optim.soup:Soup", "the mean of some weights of the last steps, evenly spaced"),
    Spec("schedule", "cosine", "optim.cosine:Cosine", "half a cosine"),
    Spec("schedule", "linear", "optim.linear:Linear", "straight down"),
    Spec("schedule", "wsd", "optim.wsd:WSD", "flat, then straight down"),
    Spec("schedule", "wsd_sqrt", "optim.wsd_sqrt:WSDSqrt", "flat, then down by 1 - sqrt of the share that is done"),
    Spec("schedule", "constant", "optim.constant:Constant", "flat"),
    Spec("tokenizer", "auto", "data.units.auto:Auto", "one of the others, by size and script of the text"),
    Spec("tokenizer", "byte", "data.units.byte:Bytes", "256 bytes"),
    Spec("tokenizer", "char", "data.units.char:Characters", "the characters that occur"),
    Spec("tokenizer", "bpe", "data.units.bpe:Pairs", "merged pairs of bytes; no character is unknown"),
    Spec("embedding", "token", "nn.embedding_spec:Tokens", "a row for each token"),
    Spec("embedding", "ngrams", "nn.ngrams_spec:NGramsSpec", "the same and rows for the last tokens together"),
    Spec("prior", "counts", "counts.prior:Counts", "log(w p_network + (1 - w) p_Kneser-Ney), one share w"),
    Spec("init", "auto", "model.init:chosen", "what the residual form was published with"),
    Spec("init", "normal", "model.rules:normal", "N(0, 0.02)"),
    Spec("init", "gpt2", "model.rules:gpt2", "output projections divided by sqrt(N)"),
    Spec("init", "zero", "model.rules:zero", "output projections zero"),
    Spec("init", "xavier", "model.rules:xavier", "N(0, 2 / (rows + columns))"),
    Spec("preset", "nano", "config.presets:NANO", "4 layers of width 128, context 64: a few seconds of training"),
    Spec("preset", "micro", "config.presets:MICRO", "6 layers of width 256, context 256"),
    Spec("preset", "small", "config.presets:SMALL", "8 layers of width 384, context 256"),
    Spec("experiment", "vanishing", "lab.experiments.vanishing:EXPERIMENT", "residuals keep gradients from vanishing"),
    Spec("experiment", "exploding", "lab.experiments.exploding:EXPERIMENT", "residuals keep gradients from exploding"),
    Spec("experiment", "depth", "lab.experiments.depth:EXPERIMENT", "residuals make deep networks trainable"),
    Spec("experiment", "deviation", "lab.experiments.deviation:EXPERIMENT", "layers learn a small deviation"),
    Spec("experiment", "efficiency", "lab.experiments.efficiency:EXPERIMENT", "residuals save steps to the same loss"),
    Spec("experiment", "depth-used", "lab.experiments.depth_used:EXPERIMENT", "the depth of a network is used"),
    Spec("experiment", "layernorm", "lab.experiments.layernorm:EXPERIMENT", "layer normalization regularizes"),
    Spec("experiment", "l1", "lab.experiments.l1:EXPERIMENT", "L1 makes unimportant weights zero"),
    Spec("experiment", "l2", "lab.experiments.l2:EXPERIMENT", "L2 shrinks weights and reduces overfitting"),
    Spec("experiment", "dropout", "lab.experiments.dropout:EXPERIMENT", "dropout reduces overfitting"),
    Spec("experiment", "scale", "lab.experiments.scale:EXPERIMENT", "dropout as y = x d, without a factor"),
    Spec("experiment", "sites", "lab.experiments.sites:EXPERIMENT", "dropout at three sites, each alone and together"),
    Spec("experiment", "both", "lab.experiments.both:EXPERIMENT", "residuals and regularizers: do the gains add up?"),
    Spec("recipe", "default", "recipes/default.yaml", "what `mainstem train` uses without options", ("chooses",)),
    Spec("recipe", "shakespeare-char", "recipes/shakespeare-char.yaml", "characters of a megabyte of plays"),
)
"""Adding a variant is its own file and one line here."""

FIELDS = {
    "residual": "model.residual", "norm": "model.norm", "feedforward": "model.feedforward", "noise": "noise.also.0",
    "penalty": "penalty.0", "loss": "loss", "optimizer": "optim", "decay": "optim.decay_kind",
    "course": "optim.decay_course", "around": "optim.around", "skip": "optim.skip", "schedule": "optim.schedule",
    "tokenizer": "data.tokenizer", "embedding": "model.embedding", "prior": "model.prior", "init": "model.init",
    "preset": "model.preset", "recipe": "recipe",
}  # fmt: skip
"""Where a configuration says a name, by kind; with more than one shape a name stands there, or below it as `name`."""

HEADINGS = {
    ("residual", "pre_norm"): "where the norm stands",
    ("residual", "deepnorm"): "factors on branch and stream",
    ("residual", "highway"): "gates",
    ("residual", "denseformer"): "memory of depth",
    ("residual", "hyper"): "several streams",
    ("residual", "reversible"): "computed back, not stored",
    ("residual", "canon"): "across time",
    ("residual", "parallel"): "others",
}
"""What a list of names says above one of them: the family of those that follow."""


def attributes(package: str, *of: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package that offers what the catalogue has of some kinds.

    Example:
        >>> getattribute, names = attributes("mainstem.penalty", "penalty")
        >>> getattribute("L1").__name__, "ElasticNet" in names()
        ('L1', True)
    """
    module = sys.modules[package]

    def getattribute(name: str) -> Any:
        for spec in (spec for kind in of for spec in specs(kind)):
            if spec.target.endswith(f":{name}"):
                return spec.load()
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        return sorted({*vars(module), *(spec.target.partition(":")[2] for kind in of for spec in specs(kind))})

    return getattribute, names


def kinds() -> list[str]:
    """Return the kinds of names there are, in the order of the list."""
    return list(dict.fromkeys(spec.kind for spec in SPECS))


_ALSO = {"form": "residual", "activation": "feedforward", "scheduler": "schedule"}
"""What people call some kinds of names besides."""

_SEVERAL = {"regularizer": ("noise", "penalty", "loss", "decay")}
"""What people call several kinds together."""


def kinds_of(word: str) -> list[str]:
    """Return the kinds that somebody means, by a name, in the plural, or as "form" and "regularizers".

    Example:
        >>> kinds_of("penalties"), kinds_of("regularizers"), kinds_of("quark")
        (['penalty'], ['noise', 'penalty', 'loss', 'decay'], [])
    """
    for name, kind in [*((kind, kind) for kind in kinds()), *_ALSO.items()]:
        if word.lower() in (name, f"{name}s", f"{name}es", f"{name[:-1]}ies"):
            return [kind]
    return list(_SEVERAL.get(word.lower().removesuffix("s"), ()))


def kind_of(word: str) -> str:
    """Return the one kind that somebody means.

    Raises:
        BadInput: there is none, or there are several.

    Example:
        >>> kind_of("penalty"), kind_of("penalties"), kind_of("forms")
        ('penalty', 'penalty', 'residual')
    """
    found = kinds_of(word)
    if len(found) == 1:
        return found[0]
    hint = f"give {', '.join(found[:-1])} or {found[-1]}." if found else _hint(word.lower())
    raise BadInput(f"There is no kind {word[:60]!r} of names: {hint}")


def _hint(word: str) -> str:
    """Return what to give in place of a word that is no kind: of a name its kind."""
    if of := [spec.kind for spec in SPECS if spec.name == word.replace("-", "_")]:
        return f"it is a name of the kind {of[0]}, so give that."
    near = difflib.get_close_matches(word, kinds(), 1)
    return f"did you mean {near[0]}?" if near else f"choose one of {', '.join(kinds())}."


def names(kind: str) -> list[str]:
    """Return the names of one kind, in the order of the list.

    Example:
        >>> names("norm")
        ['rms', 'layer']
    """
    return [spec.name for spec in specs(kind)]


def specs(kind: str) -> list[Spec]:
    """Return the entries of one kind, in the order of the list."""
    return [spec for spec in SPECS if spec.kind == kind]


def find(kind: str, name: object, field: str | None = None) -> Spec:
    """Return the entry, or raise `BadInput`, about `field` where one is given, with the nearest name."""
    for spec in SPECS:
        if spec.kind == kind and spec.name == name:
            return spec
    near = difflib.get_close_matches(str(name), names(kind), 1)
    hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(names(kind))}."
    raise BadInput(f"{f'{field}: there' if field else 'There'} is no {kind} {str(name)[:60]!r}: {hint}")


def resolve(kind: str, name: object) -> Any:
    """Return what a name stands for.

    Example:
        >>> resolve("residual", "pre_norm").__name__
        'PreNorm'
    """
    return find(kind, name).load()
