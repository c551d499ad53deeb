"""How several processes write one checkpoint: each its own part, and the leading one what holds them together.

They meet at the store, not by a reduction, as all of this happens beside the training.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import files
from ...errors import RunFailed
from ...runs import checkpoint, weights
from ...runs.disk import disk_failed
from ...runs.run_folder import RunFolder
from ..learner import Learner
from .meeting import Meeting

_LIMIT = 4096


@dataclass
class Parts:
    """The parts of the checkpoints of one run; every process has as many calls of `coming`, in the same order.

    Once this process has `left` the run it waits for nobody.
    """

    meeting: Meeting
    run: Path
    left: bool = False
    _number: int = 0

    def named(self, tensors: dict[str, weights.Tensors]) -> dict[str, weights.Tensors]:
        """Return `tensors` by the names of the files that hold this process's part of them."""
        return {checkpoint.part(stem, self.meeting.rank, self.meeting.size): own for stem, own in tensors.items()}

    def coming(self) -> str:
        """Return the word under which the processes meet for the next checkpoint."""
        self._number += 1
        return f"checkpoint/{self._number}"

    def collected(self, word: str, folder: Path) -> dict[str, dict[str, Any]]:
        """Have the others write into `folder`, and return size and hash of each of their files by its name.

        Raises:
            RunFailed: where one of them could not, `Lost` where one does not answer.
        """
        self.meeting.leave(word, str(folder))
        found: dict[str, dict[str, Any]] = {}
        for rank in range(1, self.meeting.size):
            said = self.meeting.word(f"{word}/{rank}", rank, gone=lambda: self.left)
            if isinstance(said, str):
                raise RunFailed(f"Process {rank} of {self.meeting.size}: {said}")
            found |= said
        return found

    def write(self, word: str, step: int, tensors: dict[str, weights.Tensors]) -> None:
        """Write this process's part where the leading one says, which hears of it, well or not."""
        folder = Path(self.meeting.word(word, 0, gone=lambda: self.left))
        try:
            said: Any = checkpoint.write(folder, self.named(tensors))
            files.sync_folder(folder)
        except OSError as error:
            failed = disk_failed(error, f"its part of checkpoint {step}", self.run)
            self.meeting.leave(f"{word}/{self.meeting.rank}", str(failed))
            raise failed from error
        self.meeting.leave(f"{word}/{self.meeting.rank}", said)


def parts(learner: Learner, folder: RunFolder) -> Parts | None:
    """Return how the processes write a checkpoint in parts, where the model of `learner` lies so and all see `folder`.

    They do where each finds the lock that the leading one holds. All have to ask.
    """
    if learner.spread is None:
        return None
    try:
        text = files.read(folder.path / "lock", _LIMIT).decode("utf-8", "replace")
    except files.Unusable:
        text = ""
    first = learner.world.first(text, str)
    if learner.world.agree(int(not text or text != first)):
        return None
    learner.spread.apart = True
    meeting: Any = learner.world.meeting
    return Parts(meeting, folder.path)
