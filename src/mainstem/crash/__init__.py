"""Whether a trainer loses anything: it is killed at random moments, goes on, and is compared with one that was not.

Any program may be tried, in any language.
"""

from .damage import Damaged
from .look import digests
from .trial import Found, Killed, Plan, run

__all__ = ["Damaged", "Found", "Killed", "Plan", "digests", "run"]
