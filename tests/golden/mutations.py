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
    """What is wrong, and the words of a file below src/mainstem that it is made by.

    `screen` says which of screens.txt has to notice it; without one all other files of tests/golden do.
    """

    name: str
    path: str
    right: str
    wrong: str
    screen: str = ""


FAULTS = (
    Fault("the bar never moves", "train/display.py", 'share = numbers["step"] / numbers["steps"]', "share = 0.0"),
    Fault("the bar of a pass never moves", "train/display.py", "share = now.done / max(now.total, 1)", "share = 0.0"),
    Fault("a pass is not named", "train/display.py", "Word(now.what, 3)", 'Word("", 3)'),
    Fault("tokens/s is 0", "train/shown.py", '"rate": done * self._targets / max(seconds, 1e-9)', '"rate": 0.0'),
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
    Fault("forward is called data", "train/gradient.py", 'phases.mark("forward")', 'phases.mark("data")'),
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
    Fault("a screen shows decisions about no field", "train/chosen.py",
          'one for one in known["decisions"] if one["values"]', 'one for one in known["decisions"]'),
    Fault("a plan's evaluations", "train/planning.py", "run.evaluate.every", "run.log.every"),
    Fault("everything is decayed", "train/planning.py", 'f"{tensor.decay:g}"', '"0.1"'),
    Fault("training and held-out tokens are swapped", "train/text_shows.py", "{len(learner.data.train):,}",
          "{len(learner.data.held_out):,}"),
    Fault("what is left of a resumed run", "train/budget.py", "(learner.steps - state.step) *",
          "learner.steps *"),
    Fault("beaten and not beaten are swapped", "train/beside.py", "self.bits < value", "self.bits > value"),
    Fault("frozen counts are adaptive ones", "data/yardsticks.py", "float(scored.frozen.sum())",
          "float(scored.adaptive.sum())"),
    Fault("a unigram of the held-out text", "data/yardsticks.py", "frequencies(corpus.train, size)",
          "frequencies(corpus.held_out, size)"),
    Fault("the sample is the held-out text", "train/text_shows.py", 'whole(sample["text"])', 'whole(sample["prompt"])'),
    Fault("going on changes nothing", "train/ending.py", "_GOING_ON = 2", "_GOING_ON = 1"),
)  # fmt: skip


SCREENS = tuple(Fault(*words) for words in (
    ("bad input has the exit code 1", "cli/help.py", "1 the run failed, 2 bad input", "1 bad input, 2 the run failed",
     "--help"),
    ("a page of help forgets the recipe", "cli/help.py", "words.used(known[name], *origins[name])",
     "words.default(known[name])", "train -h"),
    ("evaluate leaves counts out", "cli/evaluate.py", '"none: without its counts")] = "counts"',
     '"none: without its counts")] = "none"', "evaluate -h"),
    ("20 tokens a text", "cli/sample.py", '"tokens of each text")] = 200', '"tokens of each text")] = 20', "sample -h"),
    ("the page of several runs lies below one", "cli/report.py", "a page of these runs below runs", "report.html",
     "report -h"),
    ("a smaller model needs no folder", "cli/prune.py", '"required")] = None', '"a new one")] = None', "prune -h"),
    ("a soup is of all runs", "cli/soup.py", '] = "greedy"', '] = "uniform"', "soup -h"),
    ("five kills", "cli/crash.py", "each at a random moment\")] = 10", "each at a random moment\")] = 5", "crash -h"),
    ("probe measures 8 windows", "cli/probe.py", "model is measured on\")] = 16", "model is measured on\")] = 8",
     "probe -h"),
    ("all experiments in two minutes", "cli/lab.py", "2m; with --all 15m", "2m", "lab -h"),
    ("three seeds a side", "cli/compare.py", "from seed 0 on\")] = 5", "from seed 0 on\")] = 3", "compare -h"),
    ("a minute or two is nothing", "cli/list.py", "on this machine, in a minute or two", "on this machine", "list -h"),
    ("doctor does not say what is missing", "cli/commands.py", "what this machine has, and what is missing",
     "what this machine has", "doctor -h"),
    ("completion for one shell", "cli/commands.py", "by which bash, zsh or fish completes", "by which bash completes",
     "completion -h"),
    ("no field is near", "config/building.py", 'remedy = meant or "leave it out', 'remedy = "leave it out',
     "train corpus.txt --model.layrs 3"),
    ("a plan's activations are its logits", "train/planning.py", "{parts['activations']} of it",
     "{parts['logits']} of it", "train"),
    ("nats are bits", "cli/evaluate.py", "{fixed(held.nats_per_token, '.4f')} {NATS",
     "{fixed(held.bits_per_byte, '.4f')} {NATS", "evaluate plain"),
    ("what stands before each token with a stride", "cli/evaluate.py", 'loaded.model.context - strided["stride"] + 1',
     "loaded.model.context - 1", "evaluate plain corpus.txt --stride 8"),
    ("the prompt is not written", "cli/sample.py", "        terminal.write(text(tokens))\n", "        text(tokens)\n",
     "sample plain --num-tokens 40 --prompt river"),
    ("the next seed's text", "cli/sample.py", "options.num_tokens, [seed],", "options.num_tokens, [seed + 1],",
     "sample plain --num-tokens 40 --prompt river"),
    ("what is normal ends nowhere", "measure/table.py", 'return f"{number(low)} to {number(high)}"',
     'return f"from {number(low)}"', "probe plain --windows 4"),
    ("probe takes training text", "cli/probe.py", "(corpus.train, corpus.held_out)", "(corpus.held_out, corpus.train)",
     "probe plain --windows 4"),
    ("a folder for the page", "cli/report.py", "str(report.write(folders[0]))", "str(report.write(folders[0]).parent)",
     "report plain"),
    ("a page named by one run", "cli/report.py", "name for folder in folders)", "name for folder in folders[:1])",
     "report plain display"),
    ("no run is a failed run", "cli/main.py", "2 if isinstance(error, BadInput) else 1", "1", "report plain nowhere"),
    ("better and worse are swapped", "lab/words.py", '"supported": f"{b} is better than {a}',
     '"supported": f"{a} is better than {b}', "compare 1"),
    ("the level of an interval is always 95%", "lab/page.py", '{percent(statistics.level)} interval', "95% interval",
     "compare 2"),
    ("idle is no effect", "lab/result.py", "NOTHING if self._idle", '"no effect" if self._idle', "compare 2"),
    ("the list of experiments without the last", "cli/lab.py", 'for spec in catalogue.specs("experiment"):',
     'for spec in catalogue.specs("experiment")[:-1]:', "lab"),
    ("refuted is supported", "lab/statistics.py", 'if one.mean * sign > 0 else "refuted"',
     'if one.mean * sign < 0 else "refuted"', "lab deviation"),
    ("conditions count the cells", "lab/result.py", "steps, len(self.seeds))", "steps, len(cells))", "lab deviation"),
    ("no experiment is near", "catalogue.py", "names(kind), 1)\n    hint", "names(kind), 1, 0.99)\n    hint",
     "lab explodin"),
    ("a field is refused for itself", "lab/experiment.py", "cannot be set for {self.name}", "cannot be set for {name}",
     "lab exploding"),
    ("an experiment is refused for all", "lab/suite.py", 'f"{name} cannot be set for any',
     'f"{experiments[0].name} cannot be set for any', "lab --all"),
    ("a name without its option", "cli/list.py", "if field in known else", "if field not in known else", "list init"),
    ("doctor forgets the disk", "cli/doctor.py", "_devices, _cache, _disk)", "_devices, _cache)", "doctor"),
))  # fmt: skip
"""Faults of what a command shows, for each screen at least one."""


def noticed(copy: Path, screen: str = "") -> str:
    """Return the fault that golden files find in the sources in `copy`, or nothing; they run in a fork.

    Those of one `screen` alone, where it is named.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = _look(copy, screen)
        except BaseException:  # noqa: BLE001 - whatever a fault leads to is noticed
            said = "it fails: " + traceback.format_exc().strip().splitlines()[-1]
        os.write(writing, said.encode()[:4000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read().decode()
    os.waitpid(child, 0)
    return said


def _look(copy: Path, screen: str) -> str:
    sys.path[:0] = [str(copy / "src"), str(copy / "tests" / "support")]
    sys.meta_path[:] = [finder for finder in sys.meta_path if isinstance(finder, type)]  # none of an editable install
    mainstem, golden = importlib.import_module("mainstem"), importlib.import_module("golden")
    assert Path(mainstem.__file__).is_relative_to(copy), mainstem.__file__
    with tempfile.TemporaryDirectory() as folder:
        if screen:
            screens = importlib.import_module("golden_screens")
            stored = (golden.FOLDER / "screens.txt").read_text()
            line = screens.meant(screen)
            now, before = (screens.part(text, line) for text in (golden.screens(Path(folder), [line]), stored))
            return "; ".join(screens.differences(now, before)[:1])
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
        for screen in ("", *dict.fromkeys(fault.screen for fault in SCREENS)):
            if said := noticed(copy, screen):
                print(f"Without any fault there are differences{f' in {screen}' if screen else ''}: {said}")
                return 1
        for fault in (*FAULTS, *SCREENS):
            path = copy / "src" / "mainstem" / fault.path
            before = path.read_text()
            if before.count(fault.right) != 1:
                said = ""
                print(f"{fault.name}: {fault.path} has {before.count(fault.right)} times {fault.right!r}", flush=True)
            else:
                path.write_text(before.replace(fault.right, fault.wrong))
                said = noticed(copy, fault.screen)
                path.write_text(before)
                print(f"{fault.name}: {f'noticed ({said[:150]})' if said else 'NOT NOTICED'}", flush=True)
            if not said:
                missed.append(fault.name)
    count = len(FAULTS) + len(SCREENS)
    print(f"{count - len(missed)} of {count} faults were noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
