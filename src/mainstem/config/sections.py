"""The tree of a run's configuration as types: every field with its limits, default and meaning. Torch-free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct

from .. import catalogue


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A branch of the tree."""


def about(text: str, none: str = "none", of: str = "") -> Meta:
    """Return what `--help` says of a field; `none` is what its default of null amounts to.

    Args:
        of: the catalogue's kind of the names that a field holds whose values are those of each name.
    """
    return Meta(description=text, extra={"none": none, "of": of})


def own(kind: str) -> Meta:
    """Return what marks the field in which a section keeps what its `name`, of `kind`, has beyond its other fields.

    Nobody writes its name: ``penalty: [{name: elastic_net, coef: 1e-5, share: 0.3}]`` has `share` beside the others.
    """
    return Meta(extra={"own": kind})


# Upper limits are where a typing mistake would otherwise take all memory, or where the counter's words would overflow.
Text = Annotated[str, Meta(min_length=1)]
Rate = Annotated[float, Meta(ge=0, lt=1)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1, le=2**24)]
Steps = Annotated[int, Meta(ge=1, lt=2**28)]
Tokens = Annotated[int, Meta(ge=1, lt=2**48)]
NonNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Part = Annotated[float, Meta(gt=0, le=1)]
# Names that the catalogue lists, so that a new one is allowed here by its line there.
if TYPE_CHECKING:
    PresetName = str
    NormName = str
    NormOrNone = str
    ActivationName = str
    InitName = str
    PenaltyName = str
    OptimizerName = str
    DecayName = str
    LossName = str
else:
    PresetName, NormName, ActivationName, InitName, PenaltyName, OptimizerName, DecayName, LossName = (
        Literal[tuple(catalogue.names(kind))]
        for kind in ("preset", "norm", "feedforward", "init", "penalty", "optimizer", "decay", "loss")
    )
    NormOrNone = Literal[(*catalogue.names("norm"), "none")]
Time = Annotated[str, Meta(pattern=r"^(?=.*[1-9])[0-9]{1,9}(\.[0-9]{1,9})?[smh]\Z")]


class Data(Section, frozen=True, kw_only=True):
    paths: Annotated[list[Text], about("files or folders; none: Python's standard library")] = []
    glob: Annotated[Text, about("which files of a folder")] = "*"
    field: Annotated[Text | None, about("the key of each JSON line that holds the text; a.b: inside a")] = None
    format: Annotated[Literal["text", "lines", "jsonl", "bytes"], about("how files are read")] = "text"
    tokenizer: Annotated[Any, about("how text becomes tokens", of="tokenizer")] = "auto"
    held_out: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | None, about("share of the bytes kept for evaluation", "0.1, at most 2 MB")
    ] = None
    held_out_paths: Annotated[list[Text], about("files or folders to evaluate on, in place of a share")] = []
    sealed: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | None,
        about("share that only `evaluate --sealed` sees; it counts the looks"),
    ] = None
    split: Annotated[Literal["auto", "document", "tail"], about("how the held-out part is cut")] = "auto"
    verify: Annotated[bool, about("read files again that have not changed by size and time")] = False
    documents: Annotated[Literal["join", "mask"], about("whether attention sees past a document's start")] = "join"


class Model(Section, frozen=True, kw_only=True):
    preset: Annotated[PresetName, about("fields not given come from here")] = "nano"
    layers: Annotated[Count | None, about("blocks, of two sublayers each", "by preset")] = None
    width: Annotated[Count | None, about("numbers a position has in the stream", "by preset")] = None
    heads: Annotated[Count | None, about("attention heads", "by preset")] = None
    kv_heads: Annotated[Count | None, about("heads of keys and values; fewer are shared", "as heads")] = None
    head_width: Annotated[Count | None, about("numbers of a query, key or value of one head", "width / heads")] = None
    context: Annotated[Count | None, about("tokens seen at once", "by preset")] = None
    norm: Annotated[NormName | None, about("normalisation", "rms")] = None
    eps: Annotated[Positive | None, about("added in norms under the root", "1e-6; layer 1e-5")] = None
    feedforward: Annotated[ActivationName | None, about("activation between its matrices", "relu2")] = None
    hidden: Annotated[Count | None, about("width between its matrices", "4 width; swiglu 8/3")] = None
    qk_norm: Annotated[NormOrNone | None, about("normalisation of queries and keys", "rms")] = None
    positions: Annotated[Literal["rotary", "learned", "none"] | None, about("how order is told", "rotary")] = None
    rotary_base: Annotated[
        Annotated[float, Meta(gt=1)] | None, about("rotary angles are position * base^(-2 i / head width)", "10000")
    ] = None
    head: Annotated[Literal["tied", "untied"] | None, about("whether output shares the embedding", "tied")] = None
    soft_cap: Annotated[Positive | None, about("logits z become c tanh(z / c) with this c")] = None
    embedding: Annotated[Any, about("how a token enters the stream", of="embedding")] = "token"
    members: Annotated[
        Annotated[int, Meta(ge=1, le=256)], about("networks of other initial weights whose probabilities are averaged")
    ] = 1
    prior: Annotated[Any, about("what is mixed with the whole network, once it is trained", "none", of="prior")] = None
    init: Annotated[InitName | None, about("initial weights", "auto")] = None
    residual: Annotated[Any, about("a form's name, name and values, or a list", of="residual")] = "pre_norm"


class Noise(Section, frozen=True, kw_only=True):
    rate: Annotated[Rate | None, about("dropout at all five sites", "0")] = None
    embedding: Annotated[Rate | None, about("of the embedded tokens", "as rate")] = None
    attention_weights: Annotated[Rate | None, about("of the attention weights", "as rate")] = None
    attention: Annotated[Rate | None, about("of attention's output", "as rate")] = None
    hidden: Annotated[Rate | None, about("of the feed-forward's hidden units", "as rate")] = None
    feedforward: Annotated[Rate | None, about("of the feed-forward's output", "as rate")] = None
    depth: Annotated[Rate, about("stochastic depth: rate of the last sublayer")] = 0.0
    also: Annotated[Any, about("more noises: a list of names and values", of="noise")] = []


class Loss(Section, frozen=True, kw_only=True):
    """What a step minimises; a held-out score is the plain cross-entropy whatever stands here."""

    values: Annotated[dict[str, Any], own("loss")] = {}
    name: Annotated[LossName, about("the loss of a target")] = "cross_entropy"


class PenaltyTerm(Section, frozen=True, kw_only=True):
    name: Annotated[PenaltyName, about("a penalty R(w)")]
    coef: Annotated[NonNegative, about("its multiplier")]
    on: Annotated[Text | None, about("role or name pattern", "the matrices")] = None
    values: Annotated[dict[str, Any], own("penalty")] = {}


class Group(Section, frozen=True, kw_only=True):
    """Parameters whose learning rate or decay is another."""

    on: Annotated[Text, about("role or name pattern")]
    lr: Annotated[NonNegative, about("factor on their learning rate")] = 1.0
    decay: Annotated[NonNegative | None, about("their weight decay", "as the rest")] = None


class Optim(Section, frozen=True, kw_only=True):
    values: Annotated[dict[str, Any], own("optimizer")] = {}
    name: Annotated[OptimizerName, about("muon: matrices by Muon, the rest by AdamW")] = "adamw"
    decay: Annotated[NonNegative, about("decoupled weight decay")] = 0.1
    decay_kind: Annotated[DecayName, about("how decay is meant; passes: a time-scale")] = "decoupled"
    decay_on: Annotated[Text | None, about("role or name pattern", "the matrices")] = None
    decay_course: Annotated[Any, about("how the decay goes over the training", of="course")] = "constant"
    groups: Annotated[list[Group], about("other learning rates and decays; the last item that fits decides")] = []
    proximal: Annotated[list[PenaltyTerm], about("penalties as proximal steps behind each update: exact zeros")] = []
    around: Annotated[Any, about("a second gradient, at worse weights nearby", "none", of="around")] = None
    schedule: Annotated[Any, about("the learning rate after the warm-up", of="schedule")] = "cosine"
    warmup: Annotated[Share, about("share of the steps")] = 0.02
    clip: Annotated[NonNegative, about("largest gradient norm; 0: none")] = 1.0
    skip: Annotated[Any, about("steps that are left out, as their gradient is a spike", "none", of="skip")] = None
    average: Annotated[Rate, about("decay of an average of the weights; 0: none")] = 0.0
    swa: Annotated[Share, about("last share of the steps whose mean of the weights is kept; 0: none")] = 0.0
    soup: Annotated[int, Meta(ge=0, le=2**24), about("so many of these weights, evenly spaced; 0: each")] = 0


class Train(Section, frozen=True, kw_only=True):
    steps: Annotated[Steps | None, about("optimizer steps")] = None
    epochs: Annotated[Positive | None, about("passes over the training text", "20, if no other limit")] = None
    budget: Annotated[Time | None, about("wall time from start to exit")] = None
    passes: Annotated[Positive | None, about("most passes over the text in a budget", "as many as fit")] = None
    batch: Annotated[Count, about("sequences a step")] = 32
    micro_batch: Annotated[Count | None, about("sequences at once", "the whole batch")] = None
    patience: Annotated[int, Meta(ge=0, lt=2**28), about("evaluations without gain before it stops; 0: never")] = 5
    max_skipped: Annotated[
        int, Meta(ge=0, lt=2**28), about("steps in a row without a finite loss and gradient that are left out")
    ] = 5
    init_from: Annotated[Text | None, about("a run whose weights and tokenizer to begin with")] = None


class Evaluate(Section, frozen=True, kw_only=True):
    every: Annotated[Steps, about("steps between held-out passes")] = 250
    tokens: Annotated[Tokens, about("tokens of either side in such a pass; the last takes more")] = 16384
    cap: Annotated[NonNegative, about("most tokens of the last pass for each trained on; 0: as the others")] = 0.3
    start: Annotated[bool, about("measure before the first step too")] = True
    batch: Annotated[Count | None, about("windows at once", "8192 tokens")] = None


class Save(Section, frozen=True, kw_only=True):
    every: Annotated[Steps, about("steps between checkpoints")] = 250
    minutes: Annotated[Positive | None, about("write one too when so many have passed since the last")] = None
    keep: Annotated[int, Meta(ge=2, le=2**24), about("checkpoints kept")] = 2


class Machine(Section, frozen=True, kw_only=True):
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], about("where it runs")] = "auto"
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16"], about("of the products; auto: bfloat16 where it is fast")
    ] = "float32"
    compile: Annotated[Literal["off", "inductor", "aot_eager"], about("torch.compile's backend")] = "off"
    threads: Annotated[int, Meta(ge=0, le=4096), about("CPU threads; 0: torch's choice")] = 0
    recompute: Annotated[Literal["none", "blocks"], about("what backward computes again")] = "none"
    shard: Annotated[bool, about("spread weights, gradients and moments over the processes of --launch")] = False


class Log(Section, frozen=True, kw_only=True):
    every: Annotated[Steps, about("steps between lines of metrics.jsonl shown on the terminal")] = 10
    quantities: Annotated[int, Meta(ge=0, lt=2**28), about("steps between norms by depth; 0: never")] = 50
    tensorboard: Annotated[bool, about("write the same numbers for TensorBoard too")] = False


class Sampling(Section, frozen=True, kw_only=True):
    """How text is drawn from a model for people to read: by `mainstem sample` and at the end of a run."""

    temperature: Annotated[NonNegative, about("below 1: likelier tokens; 0: the likeliest alone")] = 0.8
    top_k: Annotated[Annotated[int, Meta(ge=1)] | None, about("only the K likeliest tokens; none: all", "all")] = 40


class Run(Section, frozen=True, kw_only=True):
    """The whole tree."""

    seed: Annotated[int, Meta(ge=0, le=2**63 - 1), about("of everything random")] = 0
    out: Annotated[Text | None, about("the run's folder", "new: runs/DATE-NAME")] = None
    recipe: Annotated[Text | None, about("a whole run by name (`mainstem list`), to begin from")] = None
    data: Data = Data()
    model: Model = Model()
    noise: Noise = Noise()
    loss: Loss = Loss()
    penalty: Annotated[list[PenaltyTerm], about("terms of the loss")] = []
    optim: Optim = Optim()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    save: Save = Save()
    machine: Machine = Machine()
    log: Log = Log()
