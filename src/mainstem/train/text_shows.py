"""What a run of a language model shows: its text, its yardsticks, what it writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..config.wrapping import columns
from ..runs.paths import place
from ..runs.score import BITS, NATS
from ..runs.state import Best
from ..wording import few, several, size
from . import alone, beside, prior, samples
from .learner import Learner
from .lines import WIDTH
from .sureness import sureness
from .task import Shows, Tell
from .yardstick import Yardsticks

_NAMED = 2
"""Files that are named; of more, the rest are counted."""

_SHOWN = 4
"""Lines of a sample."""

_COUNTING = "waiting for the yardsticks"


class TextShows(Shows):
    """The text and the model at the start; at the end yardsticks on the same bytes, and a sample."""

    def __init__(self, learner: Learner, cache: Path) -> None:
        self._learner = learner
        asked = prior.asked(learner.run)
        self._yardsticks = Yardsticks(learner.data, cache, asked, hurry=learner.run.train.budget is not None)
        self._beside = prior.Beside(learner, asked)

    def published(self, folder: Path, sha256: str) -> None:
        self._beside.model = folder, sha256

    def take(self, learner: Learner) -> None:
        self._learner = self._beside.learner = learner

    def opening(self, learner: Learner) -> dict[str, str]:
        return told(learner)

    def found(self, best: Best, tell: Tell, late: Callable[[], bool]) -> dict[str, Any]:
        sure = None if late() else sureness(self._learner, late)
        one = alone.alone(self._learner, best, late)
        tell(_COUNTING, 0, 1000)
        found = self._yardsticks.result(late, lambda share: tell(_COUNTING, int(1000 * share), 1000))
        tell(_COUNTING, 1000, 1000)
        mixture = {**one, **self._beside.made(best, self._yardsticks.over_tokens, self._yardsticks.error)}
        known = {"yardsticks": found, "remarks": beside.remarks(reached(best, mixture), found), "outcome": mixture}
        return known if sure is None else {**known, "calibration": sure}

    def stop(self) -> None:
        self._yardsticks.stop()

    def doubts(self) -> list[str]:
        error = self._yardsticks.error
        if isinstance(error, TimeoutError):
            return [f"yardsticks are missing: {error}"]
        return [] if error is None else [f"the yardsticks could not be computed: {error}"]

    def samples(self, learner: Learner) -> list[dict[str, Any]]:
        model: Any = learner.model
        return samples.drawn(model, learner.data, learner.run.seed, self._beside.prior)

    def closing(self, learner: Learner, best: Best, found: dict[str, Any], sample: dict[str, Any] | None) -> list[str]:
        outcome = found.get("outcome", {})
        said = [alone.line(outcome["ensemble"], best.values[BITS.name])] if "ensemble" in outcome else []
        said += [prior.line(outcome["prior"])] if "prior" in outcome else []
        return [*said, *beside.lines(reached(best, outcome), found.get("yardsticks", {})), *_written(sample)]


def told(learner: Learner) -> dict[str, str]:
    """Return what a run says first of its text and of its model."""
    settings: dict[str, Any] = learner.model.config()  # type: ignore[operator]
    size_of = f"{several(settings['layers'], 'layer')} of width {settings['width']}"
    members = f"{several(settings.get('members', 1), 'member')} of " if "members" in settings else ""
    return {"text": text(learner), "model": f"{form(settings['residual'])}, {members}{size_of}"}


def text(learner: Learner) -> str:
    """Return which text a run learns, and how it became tokens."""
    facts = learner.data.facts
    why = facts["tokenizer_reason"].partition(";")[0].rpartition(": ")[2].partition(",")[0]
    return (
        f"{_source(learner.run.data.paths, facts)}: {size(facts['bytes'])}, {several(facts['documents'], 'document')}; "
        f"tokenizer {facts['tokenizer']} ({why}), vocabulary {facts['vocab_size']:,}; {len(learner.data.train):,} "
        f"tokens to train on, {len(learner.data.held_out):,} held out"
    )


def _source(given: list[str], facts: dict[str, Any]) -> str:
    if not given:
        return f"{facts['origin']}, as no file was given"
    return few([place(Path(path)) for path in given], _NAMED)


def form(residual: Any) -> str:
    """Return the name of a residual form as a configuration has it, with its values.

    Example:
        >>> form([{"name": "hyper", "streams": 2}, "value_residual"])
        'hyper (streams 2) | value_residual'
    """
    if isinstance(residual, list):
        return " | ".join(map(form, residual))
    if isinstance(residual, dict):
        values = ", ".join(f"{name} {value}" for name, value in residual.items() if name != "name")
        return f"{residual['name']} ({values})" if values else str(residual["name"])
    return str(residual)


def reached(best: Best, outcome: Mapping[str, Any]) -> beside.Reached:
    """Return the bits per byte of `best`, with counts where the `outcome` has some.

    A sample knows them to two standard errors.
    """
    bits, nats = best.values[BITS.name], best.values[NATS.name]
    unsure = 0.0 if best.error is None else 2 * best.error * bits / nats
    return beside.Reached(outcome.get("prior", {}).get("mixed_bpb", bits), unsure)


def _written(sample: dict[str, Any] | None) -> list[str]:
    if sample is None:
        return []
    from ..draw.words import visible  # late: the page has been made

    begun = visible(whole(sample["prompt"]))
    text = visible(whole(sample["text"]), lines=True).expandtabs(4)
    lines = [part for line in text.split("\n") if line.strip() for part in _parts(line.rstrip(), WIDTH - 4)]
    shown = [f"    {line}" for line in lines[:_SHOWN]]
    return [f'it writes, after "{begun}":', *shown]


def whole(text: str) -> str:
    """Return `text` without the halves of characters that a cut between tokens has left at its ends.

    What is no character in its middle is a question mark.

    >>> whole("\\ufffdmain\\ufffdstem\\ufffd\\ufffd")
    'main?stem'
    """
    return text.strip("\ufffd").replace("\ufffd", "?")


def _parts(line: str, width: int) -> list[str]:
    """Return a line of a model's text in parts of at most `width` columns, blanks and all."""
    found = [""]
    for character in line:
        if columns(found[-1] + character) > width:
            found.append("")
        found[-1] += character
    return found
