"""Trains a tiny model, for tests that kill it. Run as a script: torch is imported once, and runs are forked from it.

driver.py train OUT [field=number ...]    one run; prints a line when its first step begins
driver.py sweep ROOT POWER FIRST STRIDE   kill at operation FIRST, FIRST + STRIDE, ... and go on; prints JSON
driver.py budget ROOT POWER FIRST STRIDE  the same with a run that has a budget, by a clock that steps move
"""

import json
import os
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import msgspec
from medium import EXIT, Medium

from mainstem import config, train
from mainstem.errors import BadInput, RunFailed
from mainstem.train import Learner, budget
from mainstem.train.console import Plain

STEPS = 12


BUDGET = "30.37s"
MODELS = ("model.safetensors", "counts.safetensors", "last/model.safetensors")


class Seconds:
    """A clock that only steps move: by a second, and by a quarter more from the 13th on.

    Those that are timed for the first guess take half a second, which is forgotten then: a run that is killed before
    its first checkpoint knows its guess, and takes none again.
    """

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def install(self) -> None:
        real, guess = Learner.step, budget.steps

        def step(learner: Learner, number: int, **how: Any) -> Any:
            self.now += 0.5 if learner.steps == budget._TRIAL + 1 else 1.0 if number < 13 else 1.25
            return real(learner, number, **how)

        def steps(*given: Any) -> int:
            found = guess(*given)
            self.now = 0.0
            return found

        Learner.step = step  # type: ignore[method-assign]
        budget.steps = steps


def budgeted(run: config.Run) -> config.Run:
    """Return `run` with a budget in place of its number of steps, and without counts: by this clock it is over before
    they are ready, or not."""
    length = msgspec.structs.replace(run.train, steps=None, budget=BUDGET, patience=0)
    return msgspec.structs.replace(run, train=length, model=msgspec.structs.replace(run.model, prior=None))


def settings(out: Path, **more: int) -> config.Run:
    """Return a run that uses whatever has a state: dropout, averages, patience, a schedule, norms by depth.

    Its passes in between are samples, and the held-out part is small enough for a pass over all of it at the end.
    """
    given = {
        "train.steps": STEPS, "train.batch": 4, "evaluate.every": 3, "evaluate.tokens": 64, "save.every": 4,
        "machine.threads": 1, **more,
    }  # fmt: skip
    width = given.pop("width", 16)
    sections: dict[str, dict[str, int]] = {}
    for name, value in given.items():
        section, _, field = name.partition(".")
        sections.setdefault(section, {})[field] = value
    whole: Any = {name: config.build(values, getattr(config, name.capitalize())) for name, values in sections.items()}
    return config.Run(
        out=str(out),
        data=config.Data(paths=[str(corpus(out.parent))], tokenizer="byte", held_out=0.04),
        model=config.Model(
            layers=1, width=width, heads=2, context=16, norm="rms", feedforward="relu2", qk_norm="rms",
            positions="rotary", head="tied", init="auto", prior="counts",
        ),
        noise=config.Noise(hidden=0.1, feedforward=0.1),
        penalty=[config.PenaltyTerm(name="l1", coef=1e-5)],
        optim=config.Optim(average=0.9),
        log=config.Log(every=5, quantities=4),
        **whole,
    )  # fmt: skip


def corpus(folder: Path) -> Path:
    """Return a file of a few thousand words that repeat in no simple way."""
    path = folder / "corpus.txt"
    if not path.exists():
        words = ["the", "river", "carries", "what", "every", "tributary", "adds", "and", "forgets", "none", "of", "it"]
        path.write_text(" ".join(words[i * i * 7 % 11] for i in range(900)))
    return path


class Silent(Plain):
    """A console that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(None)
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    warn = say


def attempt(out: Path, medium: Medium | None = None, clock: Seconds | None = None) -> list[str]:
    """Run to the end in this process, as `--resume` would where there is something to resume."""
    console = Silent()
    if medium is not None:
        medium.install()
    resume = (out / "config.yaml").exists()
    if clock is None:
        train.run(settings(out), resume=resume, console=console)
    else:
        clock.install()
        train.run(budgeted(settings(out)), resume=resume, console=console, clock=clock)
    return console.said


def ended(out: Path, medium: Medium | None = None, clock: Seconds | None = None, tell: bool = False) -> int:
    """Return the exit code of a run in this process: 0 well, 1 or 2 as the trainer says, 3 for a traceback.

    With `tell` all that it says goes to standard error.
    """
    try:
        said = attempt(out, medium, clock)
        print(*(said if tell else []), sep="\n", end="", file=sys.stderr)
    except (BadInput, RunFailed) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, BadInput) else 1
    except BaseException:  # noqa: BLE001 - a forked child must not go on as its parent
        traceback.print_exc()
        return 3
    return 4 if medium is not None and medium.broken else 0


def forked(out: Path, medium: Medium | None = None, clock: Seconds | None = None) -> int:
    """Return the exit code of a run in a process of its own, as `ended` has it, or `EXIT` where it was killed."""
    child = os.fork()
    if child == 0:
        os._exit(ended(out, medium, clock))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def fingerprint(out: Path) -> dict[str, object]:
    """Return what must be equal: the models' bytes, the record less its times, and which files there are."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    timeless = [{k: v for k, v in line.items() if k not in ("seconds", "phases")} for line in lines]
    found = [path.relative_to(out) for path in out.rglob("*") if path.is_file()]
    names = sorted(str(path) for path in found if "cache" not in path.parts)
    models = [(out / name).read_bytes().hex() for name in MODELS if name in names]
    return {"models": models, "metrics": timeless, "names": names}


def sweep(root: Path, power: bool, first: int, stride: int, clock: Seconds | None = None) -> dict[str, object]:
    """Kill at every `stride`-th operation, go on, and compare with a run that nobody killed."""
    assert forked(root / "whole", clock=clock) == 0
    whole = fingerprint(root / "whole")
    wrong, killed, fatal = [], 0, first
    while True:
        out = root / f"killed-{fatal}"
        code = forked(out, Medium(out, fatal, power), clock)
        if code != EXIT:
            wrong += [f"operation {fatal}: exit code {code}"] if code else []
            break
        killed += 1
        if (code := forked(out, clock=clock)) != 0:
            wrong.append(f"operation {fatal}: going on ended with {code}")
        elif (now := fingerprint(out)) != whole:
            wrong.append(f"operation {fatal}: {[key for key in whole if now[key] != whole[key]]} differ")
        shutil.rmtree(out)
        fatal += stride
    steps = [line["step"] for line in whole["metrics"]]  # type: ignore[attr-defined]
    length = json.loads((root / "whole" / "facts.json").read_text())["length"]
    return {"killed": killed, "wrong": wrong, "steps": steps, "names": whole["names"], "length": length}


def main() -> int:
    command, root, *rest = sys.argv[1:]
    path = Path(root)
    if command in ("sweep", "budget"):
        power, first, stride = (int(value) for value in rest)
        print(json.dumps(sweep(path, bool(power), first, stride, Seconds() if command == "budget" else None)))
        return 0
    more = {name: int(value) for name, value in (pair.split("=") for pair in rest)}
    try:
        train.run(settings(path, **more), resume=(path / "config.yaml").exists())
    except train.Stop as stop:
        return stop.code
    except (BadInput, RunFailed) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, BadInput) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
