"""The text that a run was trained on, from where it is now, for the commands that measure on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from ..config.sections import Section, Text, about
from ..errors import BadInput
from . import waiting

if TYPE_CHECKING:
    from ..data import Corpus
    from ..loaded import LoadedRun


class Own(Section, frozen=True, kw_only=True):
    """Where the run's own data is."""

    paths: Annotated[list[Text] | None, about("where the run's own text is now", "where it was")] = None
    held_out_paths: Annotated[list[Text] | None, about("where its own held-out files are now", "where they were")] = (
        None
    )
    verify: Annotated[bool, about("read the run's text again, unchanged or not")] = False


def warn(corpus: Corpus) -> None:
    """Say why a loss on the run's own text may say little, where it does."""
    from ..train.console import make

    for doubt in corpus.doubts:
        make().warn(doubt)


def corpus(loaded: LoadedRun, own: Own, cache: Path) -> Corpus:
    """Return the text that the run was trained on, from where it is now.

    Raises:
        BadInput: where it is not there, or is another one.
    """
    from .. import data, runs

    section = msgspec.structs.replace(loaded.run.data, verify=own.verify or loaded.run.data.verify)
    if own.held_out_paths is not None and not section.held_out_paths:
        raise BadInput(
            f"--data.held-out-paths {own.held_out_paths[0]!r} is for files that the run holds out, and it has none: "
            "leave it out."
        )
    for name in ("paths", "held_out_paths"):
        given = getattr(own, name)
        if given is None:
            runs.check_data(getattr(section, name), loaded.run.out, f"--data.{name.replace('_', '-')}")
        else:
            section = msgspec.structs.replace(section, **{name: given})
    before = data.Given.of_run(loaded.tokenizer, loaded.facts)
    with waiting.told() as tell:
        found = data.prepare(section, cache, tell, before)
        _check(found, loaded)
    return found


def _check(corpus: Corpus, loaded: LoadedRun) -> None:
    before = (loaded.facts.get("corpus") or {}).get("hash")
    if before is not None and before != corpus.facts["hash"]:
        raise BadInput(
            f"The run's data has changed since (its hash is {corpus.facts['hash'][:12]}, and was {before[:12]}): put "
            "the old data back, or name files to evaluate on."
        )
    held, now = (loaded.facts.get("corpus") or {}).get("held_out_hash"), corpus.facts["held_out_hash"]
    if isinstance(held, str) and held != now:
        raise BadInput(
            f"The run's held-out part would be another one (its hash is {now[:12]}, and was {held[:12]}), with text "
            "that was trained on: use the mainstem that trained it, or name files to evaluate on."
        )


def cache_of(folder: Path) -> Path:
    """Return where what is read of texts lies for the run in `folder`."""
    from ..runs.cache import cache_folder
    from ..runs.run_folder import RunFolder

    return cache_folder(RunFolder(folder.resolve()))
