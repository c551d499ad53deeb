"""What a step of each arm of the first reading costs beside the base's. Imported by `reading.py`."""

from __future__ import annotations

import csv
import statistics

import cost
import reading_page
import trainings
from reading_arms import BASE, PLACEBO, TOKENS, names


def measured(rounds: int) -> None:
    """Write how many times as long as a step of the base one of each arm takes, over rounds in which all take turns."""
    import torch
    from measure import interval

    cost.as_a_run()
    torch.set_num_threads(2)
    shape = cost.Shape(4, 128, 1024, 128, TOKENS)
    flags = names("once") | names("often")
    steppers = {name: cost.stepper(shape, each) for name, each in flags.items() if name != PLACEBO}
    for step in steppers.values():
        step()
    ratios: dict[str, list[float]] = {name: [] for name in steppers}
    for _ in range(rounds):
        base = cost.timed(steppers[BASE], 4)
        for name, step in steppers.items():
            ratios[name].append(cost.timed(step, 4) / base)
            base = cost.timed(steppers[BASE], 4) if name != BASE else base
    with reading_page.COST.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["arm", "ratio", "low", "high", "rounds", *trainings.about()])
        for name, found in ratios.items():
            numbers = (statistics.median(found), *interval(found))
            writer.writerow([name, *(f"{number:.3f}" for number in numbers), rounds, *trainings.about().values()])
