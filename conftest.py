"""What pytest must not import: modules that need triton, where it is not installed."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("triton") else ["src/mainstem/ops/*/*triton.py"]
