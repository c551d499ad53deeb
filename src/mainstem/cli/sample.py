"""`mainstem sample RUN`: text from a run's model, printed as it comes. May import everything, late."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from .. import config
from ..config.sections import NonNegative, Section, about
from ..errors import BadInput
from . import arguments, terminal
from . import help as help_text
from .commands import COMMANDS

if TYPE_CHECKING:
    from ..data import Tokenizer


class Options(Section, frozen=True, kw_only=True):
    """What the command's flags say."""

    prompt: Annotated[str | None, about("text to go on from", "the beginning of a document")] = None
    num_tokens: Annotated[int, Meta(ge=1, le=2**24), about("tokens to write")] = 200
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1), about("the same seed gives the same text")] = 0
    temperature: Annotated[NonNegative, about("below 1: likelier tokens; 0: the likeliest alone")] = 1.0
    top_k: Annotated[Annotated[int, Meta(ge=1)] | None, about("only the K likeliest tokens", "all")] = None
    last: Annotated[bool, about("the weights of the last step instead of the best")] = False
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], about("where it runs")] = "auto"


def run(words: list[str]) -> int:
    """Print the prompt and what follows; return the exit code."""
    given = arguments.split(words, config.switches(Options))
    if given.has("help"):
        for line in help_text.of("sample", Options):
            terminal.line(line)
        return 0
    # A prompt is text whatever it reads like: `null` and `none` too.
    prompts = [text for name, text in given.flags if name == "prompt"]
    options = arguments.options(given.flags, Options, "sample")
    prompt = prompts[0] if prompts else None
    (path,) = arguments.take(given.positional, 1, 1, COMMANDS["sample"].usage)
    folder = arguments.run_folder(path)
    from .. import model
    from ..loaded import load
    from ..train import device

    loaded = load(folder, last=options.last)
    tokens = beginning(prompt, loaded.tokenizer)
    place = device.choose(config.Train(device=options.device))
    made = model.generate(
        loaded.model.to(place.device), tokens, options.num_tokens, options.seed, options.temperature, options.top_k
    )
    terminal.write(prompt or "")
    for piece in pieces(made, loaded.tokenizer):
        terminal.write(piece)
        terminal.flush()
    terminal.line()
    return 0


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


def pieces(tokens: Iterable[int], tokenizer: Tokenizer) -> Iterator[str]:
    """Yield the text of `tokens` as soon as its characters are whole; the end of a document is a blank line."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for token in tokens:
        piece = decoder.decode(tokenizer.decode_bytes([token]))
        if token == tokenizer.end:
            piece = decoder.decode(b"", True) + "\n\n"
            decoder.reset()
        if piece:
            yield piece
    if piece := decoder.decode(b"", True):
        yield piece
