"""The documentation holds: its code runs, its configurations load, commands and links exist, both languages agree.

A block that is not meant to run is marked `text`; one that needs a package of `FOREIGN` which is not there is
skipped.
"""

import ast
import importlib.util
import re
import shlex
import warnings
from importlib import import_module

import pytest
from code_blocks import ROOT, blocks

from mainstem import catalogue, config
from mainstem.cli import arguments
from mainstem.cli import help as help_text
from mainstem.cli.commands import COMMANDS
from mainstem.draw.anchors import slug

NAMED = (
    "README.md", "README.zh-TW.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "AGENTS.md", "SECURITY.md", "CHANGELOG.md",
)  # fmt: skip
PAGES = [*(ROOT / name for name in NAMED), *sorted((ROOT / "docs").rglob("*.md"))]
LANGUAGES = frozenset({"python", "yaml", "sh", "text", "mermaid"})
FOREIGN = {"transformers": ("transformers", "accelerate"), "lightning": ("lightning",), "timm": ("timm", "torchvision")}
"""Packages of other people by what is imported, and what running them needs: see `make integrations`."""
OF_TRAIN = ("resume", "plan", "config", "help", "launch")


def prose(page):
    """Return the lines of a page that are in no block."""
    outside, lines = True, []
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            outside = not outside
        elif outside:
            lines.append(line)
    return lines


def tables(page):
    """Return the tables of a page: lists of rows, rows lists of cells."""
    found = [[]]
    for line in prose(page):
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


ALL = [block for page in PAGES for block in blocks(page)]


def of(language):
    return pytest.mark.parametrize("block", [block for block in ALL if block.language == language], ids=str)


def test_every_block_says_what_it_is():
    assert {str(block): block.language for block in ALL if block.language not in LANGUAGES} == {}


def needs(block):
    """Return the packages of other people that a block needs."""
    imports = [node for node in ast.walk(ast.parse(block.text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [getattr(node, "module", None) or node.names[0].name for node in imports]
    return [part for name in names for part in FOREIGN.get(name.partition(".")[0], ())]


@of("python")
def test_python_blocks_run(block, tmp_path, monkeypatch):
    foreign = needs(block)
    if absent := [name for name in foreign if importlib.util.find_spec(name) is None]:
        pytest.skip(f"{block} needs {', '.join(absent)}")
    monkeypatch.chdir(tmp_path)
    code = compile("\n" * block.line + block.text, str(block.page), "exec", dont_inherit=True)
    with warnings.catch_warnings():
        if foreign:  # what others warn of is theirs
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", ".*torch's generator")
        exec(code, {"__name__": "__main__"})


def test_blocks_with_other_people_s_packages_are_known_by_what_they_import():
    known = {str(block): needs(block) for block in ALL if block.language == "python" and needs(block)}
    pages = {name.partition(":")[0] for name in known}
    assert pages == {f"docs/guide/{language}/frameworks.md" for language in ("en", "zh-TW")}
    assert {part for parts in known.values() for part in parts} == {
        part for parts in FOREIGN.values() for part in parts
    }


@of("yaml")
def test_yaml_blocks_load(block, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(block.text, encoding="utf-8")
    run = config.load(file=file)
    assert run != config.load(), "a block that changes nothing was not read"


@of("sh")
def test_commands_have_the_options_that_they_are_given(block):
    for line in block.text.splitlines():
        words = shlex.split(line.removeprefix(".venv/bin/"), comments=True)
        if words[:1] == ["mainstem"] and words[1:] != ["--help"]:
            check_command(words[1], words[2:])
        elif words[:1] == ["make"]:
            targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert {word for word in words[1:] if "=" not in word} <= set(targets), line


def check_command(command, words):
    assert command in COMMANDS
    options = getattr(import_module(f"mainstem.cli.{COMMANDS[command].module}"), "Options", None)
    known = [field.name for field in config.fields(options)] if options else []
    switches = [name for name in known if isinstance(getattr(options(), name, None), bool)] if options else []
    given = arguments.split(words, {"plan", *switches, *config.switches(config.Run)}, {"plan": help_text.PLANS})
    if command == "train":
        fields = {name: text for name, text in given.flags if name not in OF_TRAIN}
        config.load({**fields, **({"data.paths": given.positional} if given.positional else {})})
        return
    if command in ("lab", "compare"):  # all else is a field of every training
        config.load({name: text for name, text in given.flags if name not in known})
        return
    arguments.refuse_unknown(given.flags, [*known, "help"], command)


def test_every_row_of_a_table_has_as_many_cells_as_its_head():
    """A bar within a cell has to be escaped, in code too: else the rest of its row moves to the right, or is lost."""
    wrong = [
        (str(page.relative_to(ROOT)), " ".join(row)[:80])
        for page in PAGES
        for table in tables(page)
        for row in table
        if len(row) != len(table[0])
    ]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page):
    text = re.sub(r"`[^`]*`", "", "\n".join(prose(page)))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{page.name} links to {target}"


def anchors(page):
    return {slug(line.lstrip("#").strip()) for line in prose(page) if line.startswith("#")}


def test_both_readmes_have_the_same_parts():
    ours, theirs = ROOT / "README.md", ROOT / "README.zh-TW.md"
    levels = [[line.split(" ")[0] for line in prose(page) if line.startswith("#")] for page in (ours, theirs)]
    assert levels[0] == levels[1]
    assert [block[2:] for block in blocks(ours)] == [block[2:] for block in blocks(theirs)]
    shapes = [[(len(table), {len(row) for row in table}) for table in tables(page)] for page in (ours, theirs)]
    assert shapes[0] == shapes[1]
    cells = [[" ".join(row) for table in tables(page) for row in table] for page in (ours, theirs)]
    codes = [[re.findall(r"`[^`]+`", row) for row in rows] for rows in cells]
    assert codes[0] == codes[1]
    assert theirs.name in ours.read_text(encoding="utf-8") and ours.name in theirs.read_text(encoding="utf-8")


@pytest.mark.parametrize("readme", ["README.md", "README.zh-TW.md"])
def test_every_residual_form_stands_in_the_table(readme):
    named = [table for table in tables(ROOT / readme) if any("`pre_norm`" in row[0] for row in table)]
    assert len(named) == 1
    assert [row[0] for row in named[0][2:]] == [f"`{name}`" for name in catalogue.names("residual")]


@pytest.mark.parametrize("readme", ["README.md", "README.zh-TW.md"])
def test_the_first_example_has_at_most_twenty_lines(readme):
    first = next(block for block in blocks(ROOT / readme) if block.language == "python")
    assert sum(1 for line in first.text.splitlines() if line.strip()) <= 20


def test_what_contributing_quotes_is_still_there():
    sources = (ROOT / "src/mainstem/catalogue.py", ROOT / "tests/support/plain_forms.py")
    lines = {line.strip() for source in sources for line in source.read_text(encoding="utf-8").splitlines()}
    quoted = [block for block in blocks(ROOT / "CONTRIBUTING.md") if block.language == "text"]
    assert len(quoted) == 6
    for block in quoted:
        assert [line for line in block.text.splitlines() if line.strip() not in lines] == [], str(block)


@pytest.mark.parametrize("readme", ["README.md", "README.zh-TW.md"])
@pytest.mark.parametrize("kind", ["noise", "penalty", "after"])
def test_every_noise_penalty_and_step_after_an_update_stands_in_the_readme(readme, kind):
    text = (ROOT / readme).read_text(encoding="utf-8")
    for spec in catalogue.specs(kind):
        said = {"proximal": "proximal="}.get(spec.name, f".{spec.target.partition(':')[2]}")
        assert said in text, spec.name
