"""What ends a run of several processes: one of them fails and says why, or is lost without a word."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

from ...errors import BadInput, RunFailed
from ...wording import listed
from ..signals import LEAVING, Stop


class Lost(RunFailed):
    """Other processes do not answer; what has ended them may have been left in the meeting.

    `said` is the sentence without what is to be done about it, `ranks` are the processes that it names.
    """

    def __init__(self, said: str, ranks: Sequence[int] = ()) -> None:
        super().__init__(said)
        self.said, self.ranks, self.remedy = said, tuple(ranks), ""

    def __str__(self) -> str:
        return f"{self.said.removesuffix('.')}; {self.remedy}" if self.remedy else self.said

    def advised(self, remedy: str) -> Lost:
        """Return the same with `remedy`, a sentence, unless there is one already.

        Example:
            >>> print(ended([1], 2).advised("start both again."))
            Process 1 of 2 has ended, killed or without memory; start both again.
        """
        found = copy.copy(self)
        found.remedy = self.remedy or remedy
        return found


class Unanswered(Lost):
    """The same, where nothing is known of which process it is: `missing.named` finds out.

    `late` is whether it was waited for in vain; else a connection has broken.
    """

    def __init__(self, said: str, late: bool = False) -> None:
        super().__init__(said)
        self.late = late


class Failure(NamedTuple):
    """What has ended process `rank`: the exit code, and the sentence that is to be said once.

    `rank` is None where processes have ended, or are silent, without a word: the sentence says which, as do `lost`.
    """

    rank: int | None
    code: int
    sentence: str
    lost: Sequence[int] = ()

    @classmethod
    def of(cls, rank: int, error: BaseException) -> Failure:
        """Return what `error` is to the other processes."""
        if isinstance(error, BadInput):
            return cls(rank, 2, str(error))
        if isinstance(error, RunFailed):
            return cls(rank, 1, str(error))
        if isinstance(error, Stop):
            return cls(rank, error.code, str(error))
        return cls(rank, 1, f"{type(error).__name__}: {error}")

    def error(self, size: int) -> BaseException:
        """Return what another one of `size` processes raises for it."""
        if self.code in LEAVING.values():
            return Stop(self.code)
        said = self.sentence if self.rank is None else f"Process {self.rank} of {size}: {self.sentence}"
        return BadInput(said) if self.code == 2 else RunFailed(said)


def ended(ranks: Sequence[int], size: int) -> Lost:
    """Return that these processes have ended.

    Example:
        >>> print(ended([1], 4))
        Process 1 of 4 has ended, killed or without memory.
        >>> print(ended([1, 3], 4))
        Processes 1 and 3 of 4 have ended, killed or without memory.
    """
    who = f"Process {ranks[0]} of {size} has" if len(ranks) == 1 else f"Processes {_listed(ranks)} of {size} have"
    return Lost(f"{who} ended, killed or without memory.", ranks)


def silent(ranks: Sequence[int], size: int, seconds: float | None) -> Lost:
    """Return that one of these processes is silent, for so many seconds if that is known.

    Example:
        >>> print(silent([1], 2, None))
        Process 1 of 2 has ended, cannot be reached or does not answer.
        >>> print(silent([1, 2, 3], 4, 600))
        One of processes 1, 2 and 3 of 4 has not answered for 600 seconds.
    """
    who = f"Process {ranks[0]}" if len(ranks) == 1 else f"One of processes {_listed(ranks)}"
    what = (
        "has ended, cannot be reached or does not answer"
        if seconds is None
        else f"has not answered for {seconds:.0f} seconds"
    )
    return Lost(f"{who} of {size} {what}.", ranks)


def _listed(ranks: Sequence[int]) -> str:
    return listed([str(rank) for rank in ranks])
