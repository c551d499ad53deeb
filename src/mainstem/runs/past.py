"""What a run's folder knows of it: the newest whole checkpoint, and facts.json.

The checkpoint's manifest is asked first: no byte of it changes unnoticed, and it says what trained the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from .. import config
from ..config.words import show
from ..errors import BadInput, command
from ..wording import several
from . import checkpoint, facts, run_folder
from .manifest import Manifest
from .run_folder import RunFolder
from .state import Length


class Past(NamedTuple):
    """`checkpoint` is the newest whole one, its folder and its manifest; None where none was ever completed."""

    checkpoint: tuple[Path, Manifest] | None = None
    facts: facts.Facts | None = None

    @property
    def lengths(self) -> list[Length]:
        """How long the run was to be, as the checkpoint and the facts have it, in this order."""
        known = (self.facts or {}).get("length")
        found = [] if self.checkpoint is None else [self.checkpoint[1].length]
        return found if known is None else [*found, msgspec.convert(known, Length)]

    @property
    def choice(self) -> dict[str, Any] | None:
        """What was chosen for the run, and why; None where nothing was."""
        found = (self.facts or {}).get("choice")
        return found if isinstance(found, dict) else None

    @property
    def corpus(self) -> str | None:
        """The hash of the run's text."""
        if self.checkpoint is not None:
            return self.checkpoint[1].corpus
        return self._told("hash")

    @property
    def held_out(self) -> str | None:
        """The hash of what was held out of that text; None where nobody has noted it."""
        return self._told("held_out_hash")

    def _told(self, name: str) -> str | None:
        found = ((self.facts or {}).get("corpus") or {}).get(name)
        return found if isinstance(found, str) else None


NOTHING = Past()
"""Of a run that has not begun."""


def read(folder: RunFolder, warn: Callable[[str], None]) -> Past:
    """Return what is known of the run in `folder`; damaged checkpoints are named to `warn`.

    Raises:
        RunFailed: where there are checkpoints and none is whole.
    """
    return Past(checkpoint.newest(folder.path, warn), facts.read(folder.path))


def check(run: config.Run, past: Past, task: str) -> None:
    """Raise `BadInput` where `run` of `task` has not trained what is in `past`, or what ended it would again."""
    if past.checkpoint is None:
        return
    manifest = past.checkpoint[1]
    if manifest.task != task:
        raise BadInput(
            f"{run.out!r} holds a run of the task {manifest.task!r}, and {task!r} was asked for: give another --out."
        )
    if changed := run_folder.changes(manifest.config, run):
        before, now = config.read(manifest.config), config.read(config.dump(config.resolve(run)))
        said = [f"{name} is {show(_at(now, name))} and was {show(_at(before, name))}" for name in changed[:3]]
        more = ", ..." if len(changed) > len(said) else ""
        fresh = f"{command('train', '--config', f'{run.out}/config.yaml')} --out NEW"
        raise BadInput(
            f"config.yaml of {run.out!r} is not what trained its weights: {', '.join(said)}{more}. Put it back, or "
            f"begin another run: `{fresh}`."
        )
    _check_patience(run, manifest)


def _check_patience(run: config.Run, manifest: Manifest) -> None:
    """Refuse to make a run longer that its patience has ended, and would end again at once."""
    waited, patience = manifest.state.waited, run.train.patience
    if not patience or waited < patience:
        return
    before = config.parse(manifest.config).train
    fields = ("steps", "epochs", "budget", "passes", "patience")
    if all(getattr(before, name) == getattr(run.train, name) for name in fields):
        return
    raise BadInput(
        f"The run in {run.out!r} was ended at step {manifest.step} by {several(waited, 'evaluation')} "
        "without gain, and "
        f"train.patience {patience} would end it again: give --train.patience 0, or more than {waited}."
    )


def _at(tree: Any, name: str) -> Any:
    """Return the value at a dotted name, None where there is none."""
    for part in name.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree
