"""Runs as they lie on disk: folder, lock, checkpoints, metrics, facts, models, caches. Nothing learns here.

What needs no torch is imported by name from here; all else (`checkpoint`, `weights`, ...) from its module.
"""

from .paths import HOME, LAST, check_data, find, follow, point, public, recorded, settled, stored

__all__ = ["HOME", "LAST", "check_data", "find", "follow", "point", "public", "recorded", "settled", "stored"]
