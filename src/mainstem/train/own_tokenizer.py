"""The tokenizer of a run that goes on: its weights mean the tokens of that one, whatever its text would have now."""

from __future__ import annotations

import logging
from pathlib import Path

from .. import config
from ..data import Given
from ..data import tokenizer as tokenizers
from ..files import Unusable
from ..runs import checkpoint, facts
from ..runs.run_folder import RunFolder

_FILE = "vocabulary.json"

_log = logging.getLogger(__name__)


def of(run: config.Run) -> Given | None:
    """Return the tokenizer of the checkpoint in the folder `run.out`, for the text that it was made for.

    None where there is no checkpoint, and where the file is damaged: the one of the text is then as near as there is.
    """
    if run.out is None:
        return None
    folder = RunFolder(Path(run.out))
    if not (folder.path / _FILE).is_file() or checkpoint.last(folder.checkpoints) is None:
        return None
    try:
        found = tokenizers.load(folder.path / _FILE)
    except Unusable as error:
        _log.warning("%s It is learned from the text again.", error)
        return None
    return Given.of_run(found, facts.read(folder.path) or {})
