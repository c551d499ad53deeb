"""Every message that a command may end with has one style: a capital, a full stop, fields as flags."""

import ast
import re
from pathlib import Path

import pytest
from torch import nn

import mainstem
from mainstem import catalogue, config, noise, optim, variants
from mainstem.cli.main import main
from mainstem.cli.style import styled
from mainstem.errors import BadInput
from mainstem.ops import library

SOURCE = Path(mainstem.__file__).parent
ERRORS = {"BadInput", "RunFailed", "TooSmall", "Unusable"}
NAMES = {spec.name for kind in catalogue.kinds() for spec in catalogue.specs(kind)}
FIELDS = [field.name for field in config.fields(config.Run) if "." in field.name and ".N" not in field.name]


ARGUMENTS = {
    *("activation", "angles", "axis", "base", "begin", "bias", "canon", "chunk", "coef", "connection", "documents"),
    *("dropout", "eps", "every", "gain", "gate", "heads", "how", "impl", "iterations", "kind", "laurel", "length"),
    *("limit", "loss", "noises", "norm", "over", "query", "rate", "reduction", "rho", "scale", "seed", "share"),
    *("shortcut", "site", "step", "streams", "temperature", "tgt", "top", "torchrun", "visible", "weights"),
    *("width", "x", "y"),
}
"""Words of code that a message to a program may begin with as they are written there: arguments, functions."""


def literal(node):
    """The words of a message, with a word for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return literal(node.left) + literal(node.right)
    return "'it'"


def messages():
    """Yield the place and the words of every error that is raised anywhere in the package."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS
            if called and node.args and isinstance(node.args[0], (ast.Constant, ast.JoinedStr, ast.BinOp)):
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", literal(node.args[0])


def unlike_a_sentence(text, names=()):
    """What a message lacks of a sentence; one that begins with one of `names`, or of the catalogue's, begins so."""
    found = []
    first = re.match(r"[a-z]+(?=[\s,:'-])", text)
    if first and first[0] not in NAMES.union(names):
        found.append("no capital")
    if not text.endswith((".", "?", "!", "`", "…")):
        found.append("no full stop")
    if "\n" in text:
        found.append("more than a line")
    return found


def faults(text):
    """What is wrong with the style of a message on the command line."""
    found = unlike_a_sentence(text, ARGUMENTS)
    if ".yaml" not in text:
        plain = re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"", "", text)
        words = re.findall(r"(?<![\w./=-])[a-z_]+(?:\.[a-z0-9_]+)+(?![\w/=*])", plain)
        found += [f"{word} is no flag" for word in words if word in FIELDS]
    return found


def test_every_message_of_the_package_is_shown_in_the_style_of_the_house():
    known = dict(messages())
    assert len(known) > 250
    wrong = {place: (faults(styled(text)), styled(text)) for place, text in known.items() if faults(styled(text))}
    assert not wrong, wrong


def test_every_message_of_the_package_is_a_sentence_to_a_program_too():
    """As it is raised, with fields as Python has them; an end that is filled in has its own full stop."""
    filled = "'it'"
    wrong = {
        place: (found, text)
        for place, text in messages()
        if (found := unlike_a_sentence(text, ARGUMENTS)) and not (text.endswith(filled) and found == ["no full stop"])
    }
    assert not wrong, wrong


def test_what_is_filled_in_at_the_end_of_a_message_ends_it():
    for what in (lambda: catalogue.kind_of("nothing"), lambda: catalogue.find("norm", "nothing"),
                 lambda: noise.points.axes("nothing"), lambda: library.check(3),
                 lambda: variants.checked("noise", {"name": "dropout", "strength": 1}, "noise.also.0"),
                 lambda: optim.select(nn.Linear(2, 2), "nothing")):  # fmt: skip
        with pytest.raises(BadInput) as raised:
            what()
        assert not unlike_a_sentence(str(raised.value)), raised.value


def test_every_message_that_has_a_colon_has_something_behind_it():
    """What was received, then the remedy; a remedy that is computed stands for itself."""
    for place, text in messages():
        assert not text.rstrip().endswith(":"), place


BAD = [
    "train x.txt --seed -1", "train x.txt --train.steps 0", "train x.txt --train.steps abc",
    "train x.txt --optim.lr -1",
    "train x.txt --model.kv-heads 3", "train x.txt --model.heads 3", "train x.txt --train.budget 5",
    "train x.txt --model.layrs 3", "train x.txt --penalty.0.coef 1", "train x.txt --noise.also.0.name foo",
    "train x.txt --model.residual mhc --model.residual.streams 0", "train x.txt --model.init nothing",
    "train x.txt --machine.device foo", "train x.txt --budget 10m --train.steps 3", "train nowhere.txt",
    "train x.txt --train.micro-batch 64 --train.batch 4", "train x.txt --data.held-out 0.9 --data.sealed 0.9",
    "train --resume nowhere", "train -x", "train x.txt --model.residual", "train x.txt --recipe nothing",
    "list nothing", "lab nothing", "lab exploding --train.budget 3m", "lab exploding --seeds 0", "lab exploding --all",
    "evaluate nowhere", "evaluate", "sample nowhere --top-k 0", "sample nowhere --temperature -1", "report",
    "report nowhere", "probe nowhere --windows 1", "compare a.yaml", "compare a.yaml b.yaml --delta -1", "nothing", "",
    "compare a.yaml --vary optim.lr", "doctor now", "completion tcsh",
]  # fmt: skip


@pytest.mark.parametrize("line", BAD)
def test_what_bad_input_is_answered_with(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.txt").write_text("A text that is long enough to be read. " * 20)
    assert main(line.split()) == 2
    said = capsys.readouterr().err.removesuffix("\n").removeprefix("mainstem: ")
    assert said and not faults(said), said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.txt"]  # nothing was begun


def test_limits_are_named_where_they_help(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for line, said in (
        ("train x --seed -1", "--seed is -1: give a whole number of at least 0."),
        ("train x --train.steps 0", "--train.steps is 0: give a whole number of at least 1, or null."),
        (f"train x --seed {2**63}", f"--seed is {2**63}: give a whole number of at least 0 and at most {2**63 - 1}."),
        ("train x --noise.rate 2", "--noise.rate is 2: give a number of at least 0 and below 1, or null."),
    ):
        assert main(line.split()) == 2
        assert capsys.readouterr().err == f"mainstem: {said}\n"


def test_what_was_typed_is_named_as_it_was_typed(capsys):
    for line, said in (
        ("train --penalty.name l1", "--penalty is a list: say which item name is for, as --penalty.0.name."),
        ("train --model.residual [[hyper]]", "--model.residual.0 is ['hyper'], a list in a list"),
        ("train --optim.groups norm", "--optim.groups.0 is 'norm', and it has fields of its own"),
        ("evaluate x --last --last", "--last is given twice, as true and as true"),
    ):
        assert main(line.split()) == 2
        assert capsys.readouterr().err.startswith(f"mainstem: {said}")


def test_a_field_in_a_file_keeps_the_form_of_the_file():
    said = "run.yaml: model.layers is 0: give a whole number of at least 1."
    assert styled(said, ["--config", "run.yaml"]) == said
    assert styled(said, ["--model.layers", "0"]) == said.replace("model.layers", "--model.layers")
    assert styled("train.micro_batch 8 is more") == "--train.micro-batch 8 is more."
    assert styled("seed is -1", ["--seed=-1"]) == "--seed is -1."
    assert styled("give mainstem.model.Ensemble") == "Give mainstem.model.Ensemble."
