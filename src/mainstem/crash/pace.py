"""How long a run takes, by what the latest ones took: a machine may become slower, or faster, while a trial lasts."""

from __future__ import annotations

import statistics

from .process import Ended

_LATEST = 5
"""Runs of which the middle one counts: one that was held up decides nothing."""

_FACTOR, _LEAST = 10, 60.0
"""A run that takes so many times as long as others, and so many seconds more, does not end."""


class Pace:
    """Seconds from when the folder of a run is there to its end; `whole` ones were disturbed by nobody.

    Example:
        >>> pace = Pace(Ended(0, 10.0, "", 1.0))
        >>> pace.moment(0.5)
        4.5
        >>> pace.resumed(Ended(None, 7.0, "", 1.0), Ended(0, 14.0, "", None))
        >>> pace.moment(0.5)
        7.0
    """

    def __init__(self, *whole: Ended) -> None:
        self._found = [_seconds(each) for each in whole]
        self._begins = min(each.appeared or 0.0 for each in whole)

    def whole(self, ended: Ended) -> None:
        """Take in a run that came to its end by itself."""
        self._found.append(_seconds(ended))

    def resumed(self, killed: Ended, ended: Ended) -> None:
        """Take in a run that was killed and went on to its end.

        What it did again counts too, so that it is rather too long: then a kill comes too late and is tried once more.
        """
        if ended.code == 0 and killed.appeared is not None:
            self._found.append(killed.seconds + ended.seconds - 2 * killed.appeared)

    def moment(self, share: float) -> float:
        """Return at which second behind its folder a run is killed that is to be killed at a `share` of it."""
        return share * statistics.median(self._found[-_LATEST:])

    @property
    def limit(self) -> float:
        """Return after how many seconds a run is taken for one that does not end."""
        return _FACTOR * (self._begins + self.moment(1.0)) + _LEAST


def _seconds(ended: Ended) -> float:
    return ended.seconds - (ended.appeared or 0.0)
