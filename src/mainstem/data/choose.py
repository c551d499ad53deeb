"""Which tokenizer a corpus gets: what its configuration names, where the text is text."""

from __future__ import annotations

from .. import config, variants
from ..errors import BadInput
from .documents import kind
from .meter import Progress
from .reading import Text
from .split import Split
from .tokenizer import Byte
from .units import Choice
from .units.base import has_ends


def choose(section: config.Data, text: Text, chosen: Split, progress: Progress | None = None) -> Choice:
    """Return the tokenizer of the run, learned from the training part alone, and why it is this one."""
    units = variants.resolve("tokenizer", section.tokenizer)
    if kind(section) != "bytes":
        return units.learn(text, chosen, progress)
    if units.raw is None:
        name = config.owned.name_of(section.tokenizer)
        raise BadInput(f"data.tokenizer {name} needs text, but data.format is bytes: use --data.tokenizer byte.")
    return Choice(Byte(has_ends(text)), units.raw)
