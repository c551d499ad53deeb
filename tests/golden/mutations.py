"""Small faults, put into what a run shows one at a time: which of them do the files of tests/golden notice?

Each is a line that is wrong in a way that nothing crashes at. `make mutants` prints a line for each, and ends badly
where one goes unnoticed, or where its line is no longer there to be changed.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "numpy", "scipy.special", "tokenizers", "safetensors.torch", "msgspec", "jinja2", "yaml", "rich.live")
"""Imported once, before a process is forked for each fault."""


class Fault(NamedTuple):
    """What is wrong, and the words of a file below src/mainstem that it is made by."""

    name: str
    path: str
    right: str
    wrong: str


FAULTS = (
    Fault("the bar never moves", "train/display.py", 'share = numbers["step"] / numbers["steps"]', "share = 0.0"),
    Fault("the bar of a pass never moves", "train/display.py", "share = now.done / max(now.total, 1)", "share = 0.0"),
    Fault("a pass is not named", "train/display.py", "Word(now.what, 3)", 'Word("", 3)'),
    Fault("tokens/s is 0", "train/shown.py", '"rate": done * self._targets / seconds', '"rate": 0.0'),
    Fault("tokens/s counts sequences", "train/opening.py", "train.batch * learner.task.targets(learner.model)",
          "train.batch"),
    Fault("time left in minutes", "train/shown.py", "* seconds / max(done, 1)", "* seconds / max(done, 1) / 60"),
    Fault("time left is the time taken", "train/shown.py", "(self._steps - step) * seconds", "done * seconds"),
    Fault("hours are shown as minutes", "train/console.py", "divmod(whole // 60, 60)", "divmod(whole // 3600, 60)"),
    Fault("held-out loss is the training loss", "train/console.py", 'numbers.get("held_out")', 'numbers.get("loss")'),
    Fault("a stale held-out loss", "train/shown.py", "        measured = {}\n",
          '        measured = self.__dict__.setdefault("old", {})\n        measured.update(held_out=1.0)\n'),
    Fault("the gap's interval is turned round", "train/console.py", "gap {low} to {high}", "gap {high} to {low}"),
    Fault("the gap has the wrong sign", "train/gap.py", "held.nats_per_token - seen.nats_per_token",
          "seen.nats_per_token - held.nats_per_token"),
    Fault("the error of a sample is not shown", "train/console.py", "Word(f\" +-{error:.3f}\", 5)", 'Word(" +-", 5)'),
    Fault("lr without its schedule", "train/learner.py", "self.peak * factor", "self.peak"),
    Fault("the slope is inverted", "train/waiting.py", "else 1 / factor", "else factor"),
    Fault("forward is called data", "train/loss.py", 'phases.mark("forward")', 'phases.mark("data")'),
    Fault("update is called save", "train/learner.py", 'phases.mark("update")', 'phases.mark("save")'),
    Fault("tokens count steps", "train/loop.py", "self.state.tokens += taken.tokens", "self.state.tokens += 1"),
    Fault("the gradient's norm is that of step 1", "train/waiting.py", "{**line, **known}",
          '{**line, **known, "grad_norm": 1.0}'),
    Fault("bits are nats", "measure/evaluate.py", "held.nats_per_token / math.log(2)", "held.nats_per_token"),
    Fault("the best is the last", "train/loop.py",
          "self.learner.task.score.better(now.values, None if best is None else best.values)",
          "True"),
    Fault("passes times 100", "train/opening.py", "return learner.steps * tokens",
          "return 100 * learner.steps * tokens"),
    Fault("a plan's parameters without vectors", "train/planning.py", '"parameters": sum(p.numel() for p in',
          '"parameters": sum(p.ndim // 2 * p.numel() for p in'),
    Fault("a run's parameters without vectors", "train/assemble.py", "sum(p.numel() for p in network.parameters())",
          "sum(p.numel() for p in model.parameters() if p.ndim > 1)"),
    Fault("a plan's memory without moments", "train/planning.py", "copies = 5 +", "copies = 1 +"),
    Fault("a plan's evaluations", "train/planning.py", "run.evaluate.every", "run.log.every"),
    Fault("everything is decayed", "train/planning.py", 'f"{tensor.decay:g}"', '"0.1"'),
    Fault("training and held-out tokens are swapped", "train/text_shows.py", "{len(learner.data.train):,}",
          "{len(learner.data.held_out):,}"),
    Fault("what is left of a resumed run", "train/runner.py", "(learner.steps - state.step) *",
          "learner.steps *"),
    Fault("beaten and not beaten are swapped", "train/beside.py", "self.bits < value", "self.bits > value"),
    Fault("frozen counts are adaptive ones", "data/yardsticks.py", "float(scored.frozen.sum())",
          "float(scored.adaptive.sum())"),
    Fault("a unigram of the held-out text", "data/yardsticks.py", "frequencies(corpus.train, size)",
          "frequencies(corpus.held_out, size)"),
    Fault("the sample is the held-out text", "train/text_shows.py", 'whole(sample["text"])', 'whole(sample["prompt"])'),
    Fault("going on changes nothing", "train/ending.py", "_GOING_ON = 2", "_GOING_ON = 1"),
)  # fmt: skip


def noticed(copy: Path) -> str:
    """Return the fault that the golden files find in the sources in `copy`, or nothing; they run in a fork."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = _look(copy)
        except BaseException:  # noqa: BLE001 - whatever a fault leads to is noticed
            said = "it fails: " + traceback.format_exc().strip().splitlines()[-1]
        os.write(writing, said.encode()[:4000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read().decode()
    os.waitpid(child, 0)
    return said


def _look(copy: Path) -> str:
    sys.path[:0] = [str(copy / "src"), str(copy / "tests" / "support")]
    sys.meta_path[:] = [finder for finder in sys.meta_path if isinstance(finder, type)]  # none of an editable install
    mainstem, golden = importlib.import_module("mainstem"), importlib.import_module("golden")
    assert Path(mainstem.__file__).is_relative_to(copy), mainstem.__file__
    with tempfile.TemporaryDirectory() as folder:
        texts = golden.made(Path(folder), screens=False)
    found = {name: golden.differences(name, text, (golden.FOLDER / name).read_text()) for name, text in texts.items()}
    return "; ".join(f"{name}, {some[0]}" for name, some in found.items() if some)


def main() -> int:
    sys.dont_write_bytecode = True
    for name in HEAVY:
        importlib.import_module(name)
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve()
        for part in ("src/mainstem", "tests/support", "tests/golden"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        if said := noticed(copy):
            print(f"Without any fault there are differences: {said}")
            return 1
        for fault in FAULTS:
            path = copy / "src" / "mainstem" / fault.path
            before = path.read_text()
            if before.count(fault.right) != 1:
                said = ""
                print(f"{fault.name}: {fault.path} has {before.count(fault.right)} times {fault.right!r}", flush=True)
            else:
                path.write_text(before.replace(fault.right, fault.wrong))
                said = noticed(copy)
                path.write_text(before)
                print(f"{fault.name}: {f'noticed ({said[:150]})' if said else 'NOT NOTICED'}", flush=True)
            if not said:
                missed.append(fault.name)
    print(f"{len(FAULTS) - len(missed)} of {len(FAULTS)} faults were noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
