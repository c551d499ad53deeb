"""`mainstem evaluate RUN [FILES]`: the loss of a run's model on text."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from .. import config, files
from ..config.sections import Section, Text, about
from ..errors import BadInput
from ..wording import fixed, several
from . import arguments, mixtures, own_text, terminal, waiting
from .answer import Answer
from .arguments import Asked

if TYPE_CHECKING:
    from ..data import Tokens
    from ..loaded import LoadedRun


class Reading(own_text.Own, frozen=True, kw_only=True):
    """The same, and how FILES are read, where that differs from what the run has."""

    glob: Annotated[Text | None, about("which files of a folder", "as the run")] = None
    field: Annotated[Text | None, about("the key of each JSON line that holds the text", "as the run")] = None
    format: Annotated[Literal["text", "lines", "jsonl", "bytes"] | None, about("form of FILES", "as the run")] = None


class Options(Section, frozen=True, kw_only=True):
    """What the command's flags say."""

    last: Annotated[bool, about("the weights of the last step")] = False
    sealed: Annotated[bool, about("the sealed part; each look is counted")] = False
    stride: Annotated[int | None, about("also in windows so many tokens apart", "none")] = None
    adaptive: Annotated[bool, about("also with counts that go on here")] = False
    prior: Annotated[Literal["counts", "none"], about("none: without its counts")] = "counts"
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], about("where it runs")] = "auto"
    json: Annotated[bool, about("print one JSON object; all else goes to standard error")] = False
    data: Reading = Reading()


def run(asked: Asked) -> int:
    """Print the loss, and yardsticks on the same bytes; return the exit code."""
    options, (path, *paths) = asked.options(Options), asked.take(1)
    folder = arguments.run_folder(path)
    for file in paths:
        if not os.path.exists(file):
            raise BadInput(f"{files.shown(file)} does not exist: give the name of a file or a folder that can be read.")
    if options.sealed and paths:
        raise BadInput(f"{paths[0]!r} and --sealed are both given: leave one of them out.")
    for name in ("glob", "field", "format"):
        if not paths and (value := getattr(options.data, name)) is not None:
            raise BadInput(
                f"--data.{name} {value} says how other files are read, and none is given: name some, or leave it out."
            )
    if options.data.glob is not None and not any(os.path.isdir(file) for file in paths):
        raise BadInput(
            f"--data.glob {options.data.glob} says which files of a folder, and no folder is named: leave it out."
        )
    _evaluate(folder, paths, options, asked.given.has("prior"))
    return 0


def _evaluate(folder: Path, paths: list[str], options: Options, asked: bool) -> None:
    from .. import measure
    from ..loaded import load
    from ..measure.evaluate import check_stride
    from ..runs import looks
    from ..runs.score import BITS, NATS
    from ..train import beside, device
    from ..train.lines import fold

    loaded = load(folder, last=options.last, prior=options.prior == "counts")
    if asked:
        mixtures.check(loaded, options.prior, options.last, str(folder))
    if options.adaptive and loaded.prior is None:
        raise BadInput(
            f"--adaptive is how counts go on, and {str(folder)!r} has none that are used: leave it out, or train with "
            "--model.prior counts."
        )
    if options.sealed and loaded.run.data.sealed is None:
        raise BadInput(f"{str(folder)!r} has no sealed part: leave --sealed out, or train with --data.sealed 0.1.")
    if options.stride is not None:
        check_stride(options.stride, loaded.model.context)
    place = device.choose(config.Machine(device=options.device, dtype=loaded.run.machine.dtype))
    cache = own_text.cache_of(folder)
    tokens = _tokens(loaded, paths, options, cache)
    look = looks.add(folder) if options.sealed else 0
    answer = Answer(options.json)

    def say(line: str) -> None:
        answer.say("\n".join(fold(line, terminal.width())))

    strides = (None,) if options.stride is None else (None, options.stride)
    with device.threads(loaded.run.machine.threads):
        total = len(tokens) - 1
        with waiting.told() as tell:
            held, *overlapping = (
                measure.evaluate(
                    loaded.model.to(place.device),
                    tokens,
                    stride=stride,
                    documents=loaded.run.data.documents == "mask",
                    batch=loaded.run.evaluate.batch,
                    autocast=place.autocast,
                    tell=lambda done: tell("held-out", min(done, total), total),
                )
                for stride in strides
            )
    what = ", ".join(paths) if paths else f"its {'sealed' if options.sealed else 'held-out'} part"
    on = terminal.clean(f"{folder} on {what}", keep="")  # a name may have a line break
    say(f"{on}: {several(len(tokens), 'token')}, {several(tokens.num_bytes, 'byte')}")
    mixed, *strided_mixed = mixtures.of(loaded.prior, tokens, [held, *overlapping], options.adaptive)
    alone = ", by the network alone" if mixed else ""
    say(f"{fixed(held.nats_per_token, '.4f')} {NATS.unit}, {fixed(held.bits_per_byte, '.4f')} {BITS.unit}{alone}")
    if loaded.remark:
        say(loaded.remark)
    for line in mixtures.lines(mixed):
        say(line)
    strided: dict[str, Any] = {}
    for other in overlapping:
        strided = {"stride": options.stride or 0, NATS.name: other.nats_per_token, BITS.name: other.bits_per_byte}
        least = loaded.model.context - strided["stride"] + 1
        numbers = f"{fixed(other.nats_per_token, '.4f')} {NATS.unit}, {fixed(other.bits_per_byte, '.4f')} {BITS.unit}"
        say(f"{numbers} with --stride {options.stride}: {least} or more tokens before each")
        for line in mixtures.lines(strided_mixed[0]):
            say(line)
        strided |= mixtures.to_json(strided_mixed[0])
    if options.sealed:
        say(_looked(look))
    bits = mixed["with_counts"].bits if mixed else held.bits_per_byte
    found, missing = _yardsticks(loaded, tokens if paths or options.sealed else None, options, cache)
    for line in [*beside.lines(beside.Reached(bits), found), *filter(None, [missing])]:
        say(line)
    answer.give({
        "run": str(folder), "on": paths or what, "tokens": len(tokens), "bytes": tokens.num_bytes,
        NATS.name: held.nats_per_token, BITS.name: held.bits_per_byte, "yardsticks": found or None,
        **mixtures.to_json(mixed), **({"look": look} if options.sealed else {}),
        **({"strided": strided} if strided else {}),
    })  # fmt: skip


def _tokens(loaded: LoadedRun, paths: list[str], options: Options, cache: Path) -> Tokens:
    """Return the tokens of `paths`, or of the run's own held-out or sealed part, where that is still what it was."""
    from .. import data

    if paths:
        changed = {name: value for name, value in msgspec.structs.asdict(options.data).items() if value is not None}
        if options.data.format not in (None, "jsonl"):
            changed.setdefault("field", None)  # the run's own key is for JSON Lines
        if options.data.field is not None:
            changed.setdefault("format", "jsonl")  # the run's own may have no keys
        section = msgspec.structs.replace(loaded.run.data, **changed)
        said: list[str] = []
        with waiting.told() as tell:
            found = data.encode_files(paths, section, loaded.tokenizer, cache, tell, say=said.append)
        for line in said:
            Answer(options.json).say(line)
        return found
    corpus = own_text.corpus(loaded, options.data, cache)
    own_text.warn(corpus)
    return corpus.sealed if options.sealed and corpus.sealed is not None else corpus.held_out


def _looked(look: int) -> str:
    """Return what the number of looks at the sealed part says of the score."""
    if look == 1:
        return "the first look at the sealed part: nothing was chosen by it"
    return f"look {look} at the sealed part: what was chosen by an earlier one is not measured by this one"


def _yardsticks(
    loaded: LoadedRun, tokens: Tokens | None, options: Options, cache: Path
) -> tuple[dict[str, float], str]:
    """Return the yardsticks of the run, new ones where `tokens` are other text than its own, or why there are none."""
    from .. import data

    found = loaded.facts.get("yardsticks") or {}
    if tokens is not None or "repeated_share" not in found:  # a budget may have ended before all were known
        try:
            corpus = own_text.corpus(loaded, options.data, cache)
        except BadInput as error:
            return {}, f"no yardsticks, which need the training text: {error}"
        if tokens is not None:
            digest = hashlib.sha256(tokens.ids.tobytes()).hexdigest()
            corpus = corpus._replace(held_out=tokens, facts={**corpus.facts, "held_out_hash": digest})
        with waiting.told() as tell:
            try:
                for done, known in enumerate(data.yardsticks.stages(corpus, cache), 1):
                    found = known
                    tell("yardsticks", min(done, data.yardsticks.STAGES), data.yardsticks.STAGES)
            except BadInput as error:  # too many tokens to be counted, or too little memory
                return found, f"no more yardsticks: {error}"
    return found, ""
