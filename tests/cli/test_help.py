"""`--help`: every field with its type, meaning and what would be used; `-h`: a page."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mainstem import catalogue, config
from mainstem.cli import help as help_text
from mainstem.cli.arguments import shown
from mainstem.cli.commands import COMMANDS
from mainstem.cli.main import main
from mainstem.config import values
from mainstem.config.words import amount
from mainstem.noise import POINTS

Capture = pytest.CaptureFixture[str]
PAGE = 23  # lines of a terminal of 24, with the next prompt below


def said(capsys: Capture, *words: str) -> list[str]:
    assert main(list(words)) == 0
    return capsys.readouterr().out.splitlines()


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def whole(monkeypatch: pytest.MonkeyPatch, columns: int) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    return help_text.of_train(config.origins({}, recipe="default"), "true")


def used_by(capsys: Capture, *words: str) -> dict[str, str]:
    """Return what stands last in the brackets of each field."""
    flat = " ".join(" ".join(said(capsys, "train", *words, "--help")).split())
    found = {}
    for field in config.fields(config.Run):
        entry = flat.split(f" {shown(field.name)} {field.meaning} [", 1)[1].split("]", 1)[0]
        found[field.name] = entry.split("; ", 1)[1]
        assert all(choice in map(str.strip, entry.split("; ")[0].split("|")) for choice in field.choices)
    return found


def test_every_field_has_its_type_meaning_and_what_a_bare_command_uses(capsys: Capture) -> None:
    found, run = used_by(capsys), config.load(recipe="default")
    assert set(found) == {field.name for field in config.fields(config.Run)}
    assert found["optim.lr"] == "0.02, from recipe default"
    assert found["train.budget"] == "150s, from recipe default"
    assert found["model.layers"] == "4, by preset"
    assert found["model.hidden"] == "512, 4 width; swiglu 8/3"
    assert found["noise.attention"] == "0, as rate"
    assert (found["recipe"], found["optim.clip"], found["train.epochs"]) == ("default", "1", "20, if no other limit")
    for field in config.fields(config.Run):
        if ".N." not in field.name and not field.of:
            assert found[field.name].startswith(amount(field, config.at(run, field.name)))
    for name in ("optim.lr", "optim.momentum", "optim.schedule.floor", "loss.z_loss"):
        field = next(field for field in config.fields(config.Run) if field.name == name)
        assert found[name].startswith(amount(field, config.at(run, name)))
    assert found["optim.around.rho"] == "sam: 0.05; asam: 0.5"  # neither of them is asked for


def test_it_follows_the_flags_of_its_line(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("recipe: shakespeare-char\noptim: {lr: 0.5}\n")
    found = used_by(capsys, "a.txt", "--config", str(path), "--noise.rate", "0.1", "--model.residual.name", "hyper")
    assert found["optim.lr"] == "0.5, from my.yaml"
    assert found["optim.betas"] == "0.8,0.95, from recipe shakespeare-char"
    assert (found["noise.rate"], found["noise.hidden"]) == ("0.1, as given", "0.1, as rate")
    assert found["model.residual"] == "{name: hyper}, as given"
    assert found["data.paths"] == "a.txt, as given"
    assert found["train.budget"] == "none"
    other = used_by(capsys, "--optim.name", "adamw")
    assert (other["optim.name"], other["optim.lr"]) == ("adamw, as given", "0.002")
    assert other["optim.warmup"] == "0.05, from recipe default"


def test_it_follows_the_run_that_would_go_on(capsys: Capture, finished: Path) -> None:
    assert used_by(capsys, "--resume", str(finished))["model.width"] == "16, from config.yaml"


def test_help_is_given_behind_a_mistake_too(capsys: Capture) -> None:
    lines = said(capsys, "train", "--stpes", "5", "--help", "log")
    assert " ".join(lines[:2]).startswith("--stpes is not an option of `mainstem train`: did you mean --train.steps?")
    assert any("--log.every" in line for line in lines)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_h_is_a_page(command: str, capsys: Capture) -> None:
    lines = said(capsys, *command.split(), "-h")
    assert len(lines) <= PAGE
    assert max(map(len, lines)) <= 80


def test_the_page_of_train_has_what_people_use_and_says_where_the_rest_is(capsys: Capture) -> None:
    lines = said(capsys, "train", "-h", "--recipe", "shakespeare-char")
    text = " ".join(" ".join(lines).split())
    assert sum(line.startswith("  --") for line in lines) == 3 + 10
    assert sum(line.strip().startswith("mainstem train ") for line in lines) == 2
    assert "--train.steps optimizer steps [60, from recipe shakespeare-char]" in text
    assert (
        "`mainstem train --help`; some: --help dropout, or run, data, model, noise, loss, penalty, optim, train, "
        "evaluate, save, machine, log." in text
    )


@pytest.mark.parametrize("words", [["train", "--help", "optim"], ["help", "train", "optim"]])
def test_one_section(words: list[str], capsys: Capture) -> None:
    lines = said(capsys, *words)
    flags = [line.split()[0] for line in lines if line.startswith("  --")]
    fields = [shown(field.name) for field in config.fields(config.Run) if field.section == "optim"]
    assert flags == fields
    assert flags[-2:] == ["--optim.scale", "--optim.roles"]  # what muon has beside the fields of all
    text = " ".join(" ".join(lines).split())
    assert "--optim.scale muon: what Muon's step is multiplied by [original|match_rms_adamw; original]" in text
    assert flags.index("--optim.schedule.cooldown") == flags.index("--optim.schedule") + 2


def test_what_several_names_have_alike_stands_once_with_the_default_of_each(capsys: Capture) -> None:
    lines = said(capsys, "train", "--help", "noise")
    flags = [line.split()[0] for line in lines if line.startswith("  --noise.also.0")]
    assert flags == [f"--noise.also.0.{name}" for name in
                     ("rate", "at", "over", "how", "depth", "begin", "end", "course", "length")]  # fmt: skip
    text = " ".join(" ".join(lines).split())
    assert re.search(r"\[text; dropout: null; depth: B; ([a-z_]+: [A-Za-z]+; )*drop_head: BH[;\]]", text)
    meaning = '"constant", "linear", which grows over the sublayers, or "falling", which shrinks'
    assert f"--noise.also.0.depth {meaning} [constant|linear|falling; constant]" in text


def test_what_a_name_has_by_itself_stands_behind_the_fields_of_its_section(capsys: Capture) -> None:
    text = " ".join(" ".join(said(capsys, "train", "--help", "penalty")).split())
    assert "[text; the matrices] --penalty.0.share elastic_net: 1 is L1, 0 is L2 [number; 0.5]" in text
    text = " ".join(" ".join(said(capsys, "train", "--help", "model")).split())
    assert "--model.residual.streams hyper, mhc, identity_mixing: S, from 1 to 1024 [int; 4]" in text


def test_the_ways_to_ask(capsys: Capture) -> None:
    assert said(capsys, "help") == said(capsys, "--help") == said(capsys, "-h")
    assert said(capsys, "help", "train") == said(capsys, "train", "--help")
    assert said(capsys, "help", "lab") == said(capsys, "lab", "-h")
    assert main(["help", "trian"]) == 2
    assert "did you mean `mainstem train`?" in capsys.readouterr().err
    assert main(["train", "--help=optm"]) == 2
    assert "has to do with 'optm', which stands behind --help: did you mean `--help optim`?" in capsys.readouterr().err


@pytest.mark.parametrize("columns", [80, 200, 60])
def test_it_fits(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = whole(monkeypatch, columns)
    assert max(map(len, lines)) <= min(columns, 80)


def test_at_20_columns_only_names_and_commands_are_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = whole(monkeypatch, 20)
    longer = [line for line in lines if len(line) > 20 and "`" not in line]
    assert all(" " not in line.strip() or line.startswith(("usage", "  ")) for line in longer)
    names = {name for kind in catalogue.kinds() for name in catalogue.names(kind)} | POINTS.keys()
    other = [line for line in longer if line.strip().rstrip(",:;") not in names]
    assert all("--" in line or "[" in line or "|" in line or "usage" in line for line in other)


def test_fields_are_grouped_in_the_order_of_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = whole(monkeypatch, 80)
    flags = [line.split()[0] for line in lines if line.startswith("  --")]
    own = ["--budget", "--resume", "--plan", "--config", "--launch", "--json"]
    fields = [shown(field.name) for field in config.fields(config.Run)]
    assert [flag for flag in flags if flag in {*own, *fields}] == own + fields
    every = [*values.of_rates(), *(value for spec in catalogue.SPECS for value in values.of(spec.kind, spec.name))]
    there = {value.name for value in every}
    assert all(flag.rpartition(".")[2].replace("-", "_") in there for flag in flags if flag not in {*own, *fields})
    for section in help_text.SECTIONS[1:]:
        assert sum(line.startswith(f"{section}: ") for line in lines) == 1


def test_it_is_ascii_for_any_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    assert "\n".join([*whole(monkeypatch, 80), *said(capsys, "-h"), *said(capsys, "train", "-h")]).isascii()


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["lab", "-h"]])
def test_it_needs_no_torch(words: list[str]) -> None:
    line = f"import sys; from mainstem.cli.main import main; main({words!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", line], capture_output=True, check=False).returncode == 0
