"""`mainstem sample RUN`: text from a run's model, printed as it comes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from .. import config
from ..config.sections import about
from ..errors import BadInput
from . import arguments, mixtures, terminal
from .arguments import Asked

if TYPE_CHECKING:
    from ..data import Tokenizer
    from ..loaded import LoadedRun


class Options(config.Sampling, frozen=True, kw_only=True):
    """What the command's flags say."""

    prompt: Annotated[str | None, about("text to go on from", "the beginning of a document")] = None
    num_samples: Annotated[int, Meta(ge=1, le=2**24), about("texts to write; each has the next seed")] = 1
    num_tokens: Annotated[int, Meta(ge=1, le=2**24), about("tokens of each text")] = 200
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1), about("the same seed gives the same text")] = 0
    last: Annotated[bool, about("the weights of the last step instead of the best")] = False
    prior: Annotated[Literal["counts", "none"], about("none: the network without the run's counts")] = "counts"
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], about("where it runs")] = "auto"


def run(asked: Asked) -> int:
    """Print the prompt and what follows; return the exit code."""
    # A prompt is text whatever it reads like: `null` and `none` too.
    prompts = [text for name, text in asked.given.flags if name == "prompt"]
    options, (path,) = asked.options(Options), asked.take(1, 1)
    prompt = prompts[0] if prompts else None
    _check([name for name, _ in asked.given.flags], options)
    folder = arguments.run_folder(path)
    from ..loaded import load
    from ..model.generate import cut
    from ..train import device

    loaded = load(folder, last=options.last, prior=options.prior == "counts")
    if asked.given.has("prior"):
        mixtures.check(loaded, options.prior, options.last, path)
    if loaded.remark and sys.stderr is not None:
        terminal.sentence(loaded.remark, sys.stderr)
    tokens = beginning(prompt, loaded.tokenizer)
    if (remark := cut(loaded.model, tokens)) and sys.stderr is not None:
        terminal.sentence(remark, sys.stderr)
    loaded.model.to(device.choose(config.Machine(device=options.device)).device)
    for number in range(options.num_samples):
        seed = (options.seed + number) % 2**63
        if options.num_samples > 1:
            head = f"--- sample {number + 1} of {options.num_samples}, seed {seed} ---"
            terminal.line(f"{chr(10) if number else ''}{head}")
        _write(loaded, tokens, options, seed, prompt is not None)
    return 0


def _check(given: list[str], options: Options) -> None:
    """Refuse options that are `given` and could make no difference, where the likeliest token alone is taken."""
    alone = "temperature" if options.temperature == 0 else "top_k" if options.top_k == 1 else None
    unread = [name for name in given if name in ("temperature", "top_k", "seed") and name != alone]
    if options.num_samples > 1:
        unread.append("num_samples")
    if alone is not None and unread:
        one, other = (f"{arguments.shown(name)} {getattr(options, name):g}" for name in (unread[0], alone))
        raise BadInput(f"{one} means nothing beside {other}, which takes the likeliest token: leave one of them out.")


def _write(loaded: LoadedRun, tokens: list[int], options: Options, seed: int, prompted: bool) -> None:
    """Print what follows `tokens` with this seed as it comes, behind the prompt where they are one."""
    from ..data.tokenizer import Whole
    from ..model.generate import generate_rows

    mixed = None if loaded.prior is None else loaded.prior.mixed
    made = generate_rows(loaded.model, [tokens], options.num_tokens, [seed], options.temperature, options.top_k, mixed)
    text = Whole(loaded.tokenizer)
    if prompted:  # else what stands before every document
        terminal.write(text(tokens))
    for row in made:
        terminal.write(text(row))
        terminal.flush()
    terminal.line()


def beginning(prompt: str | None, tokenizer: Tokenizer) -> list[int]:
    """Return the tokens to go on from; without a prompt what stands before a document: an end, or a new line."""
    if prompt is not None:
        return tokenizer.encode(prompt)
    if tokenizer.end is not None:
        return [tokenizer.end]
    try:
        return tokenizer.encode("\n")
    except BadInput:
        raise BadInput("The vocabulary of this run has no new line to begin from: give --prompt some text.") from None
