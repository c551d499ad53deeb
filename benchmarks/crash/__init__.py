"""Trainers that `mainstem crash` kills, each as its own documentation has it, on one task: docs/results/crash.md."""
