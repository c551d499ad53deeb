"""Losses, one file each: what a step minimises for each target. A held-out score stays the plain cross-entropy."""
