"""The scores that `mainstem evaluate` prints."""

import re

NUMBERS = re.compile(r"([0-9.]+) nats per token, ([0-9.]+) bits per byte")
