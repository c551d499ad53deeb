"""What the site's pages are made of: shipped code, formulas, results; what is not there ends the build by name."""

import json
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import shown

pytest.importorskip("mkdocs", reason="the site needs the extra `docs`")
from mkdocs.exceptions import PluginError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    spec = spec_from_file_location("docs_hooks", ROOT / "docs" / "hooks.py")
    assert spec is not None and spec.loader is not None
    found = module_from_spec(spec)
    sys.modules["docs_hooks"] = found
    spec.loader.exec_module(found)
    return found


class Page:
    """What mkdocs tells a hook of a page."""

    url, title = "guide/a.html", "A"

    class file:
        src_uri = "guide/a.md"


def test_the_source_is_the_one_that_is_shipped(hooks: ModuleType) -> None:
    found = hooks.on_page_markdown("before\n\n<!-- code: mainstem.penalty.l1:L1 -->\n\nafter", Page, {}, None)
    assert found.startswith('before\n\n```python title="src/mainstem/penalty/l1.py"\n')
    shown = found.split("\n", 3)[3].rsplit("```", 1)[0].rstrip()
    assert shown in (ROOT / "src/mainstem/penalty/l1.py").read_text()
    assert "class L1" in shown


def test_a_method_is_moved_to_the_left_and_keeps_its_decorators(hooks: ModuleType) -> None:
    lines = hooks.code("mainstem.lab.trial", "Trial.at").splitlines()
    assert lines[1:3] == ["@property", "def at(self) -> dict[str, Any]:"]


def test_of_overloads_the_code_is_shown_and_of_long_code_the_lines_with_some_words(hooks: ModuleType) -> None:
    name = ("mainstem.stream.residual", "Residual.forward")
    assert "self.connection.write(" in hooks.code(*name)
    lines = hooks.code(*name, words=["connection.read(", "connection.write("]).splitlines()
    assert lines[1].startswith("def forward(self") and lines[2] == "    ..." and lines[4] == "    ..."
    assert len(lines) == 7 and "connection.read(" in lines[3] and "connection.write(" in lines[5]
    with pytest.raises(PluginError, match=r"guide/a.md: mainstem.stream.residual has no 'gone' in Residual.forward"):
        hooks.code(*name, "guide/a.md", ["gone"])


@pytest.mark.parametrize(
    ("module", "name", "said"),
    [("mainstem.gone", "A", "no module mainstem.gone"), ("mainstem.penalty.l1", "Gone", "has no Gone"),
     ("mainstem.penalty.l1", "L1.gone", "has no L1.gone")],
)  # fmt: skip
def test_code_that_is_not_there_ends_the_build(hooks: ModuleType, module: str, name: str, said: str) -> None:
    with pytest.raises(PluginError, match=rf"guide/a.md: .*{said}"):
        hooks.on_page_markdown(f"<!-- code: {module}:{name} -->", Page, {}, None)


def content(hooks: ModuleType, html: str, language: str = "en") -> str:
    found: str = hooks.on_page_content(html, Page, {"theme": {"language": language}}, None)
    return found


def test_formulas_become_mathml(hooks: ModuleType) -> None:
    found = content(hooks, '<div class="arithmatex">\\[a &lt; b\\]</div><span class="arithmatex">\\(c\\)</span>')
    assert found.count("<math") == 2
    assert 'display="block"' in found and 'display="inline"' in found
    assert "&lt;" in found or "&#x0003C;" in found
    with pytest.raises(PluginError, match=r"guide/a.md: the formula '\\\\left\(' cannot be read"):
        content(hooks, '<span class="arithmatex">\\(\\left(\\)</span>')


@pytest.fixture
def folder(hooks: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(hooks.lab, "RESULTS", tmp_path)
    return tmp_path


def made(folder: Path) -> None:
    """Results of the experiment `depth-used`, made up."""
    from mainstem import catalogue
    from mainstem.lab.result import Results

    experiment = catalogue.resolve("experiment", "depth-used")
    numbers = {seed: {"deep": 0.5 + seed / 100, "first_minus_deep": 0.1, "cost": [1.0, 0.5]} for seed in range(5)}
    facts = {"command": "mainstem lab <all>", "commit": "c" * 40, "machine": {"cores": 2}, "versions": {"torch": "2"}}
    results = Results(experiment, list(range(5)), {cell.name: numbers for cell in experiment.cells}, facts)
    (folder / "depth-used.json").write_text(json.dumps(results.to_json(), allow_nan=False))


def test_a_result_is_a_verdict_an_effect_and_figures(hooks: ModuleType, folder: Path) -> None:
    made(folder)
    found = content(hooks, "<p>x</p><!-- lab: depth-used -->")
    for part in ("supported", "Difference 0.52 nats per byte", "<svg", "mainstem lab &lt;all&gt;", "commit cccccc"):
        assert part in found
    assert "<!-- lab" not in found
    chinese = content(hooks, "<!-- lab: depth-used -->", "zh-Hant")
    for part in ("</span> 成立</span>", "相差 0.52 nat／位元組", "5 個種子", "<svg"):
        assert part in chinese


def test_what_was_not_measured_is_said_so(hooks: ModuleType, folder: Path) -> None:
    assert "Not measured yet: run <code>mainstem lab depth</code>" in content(hooks, "<!-- lab: depth -->")
    assert "尚未量測" in content(hooks, "<!-- lab: depth -->", "zh-Hant")


def test_a_result_of_another_version_ends_the_build(hooks: ModuleType, folder: Path) -> None:
    made(folder)
    found = json.loads((folder / "depth-used.json").read_text())
    del found["seeds"]
    (folder / "depth-used.json").write_text(json.dumps(found))
    with pytest.raises(PluginError, match=r"guide/a.md: a result is of another version"):
        content(hooks, "<!-- lab: depth-used -->")


def test_the_table_of_verdicts_has_every_experiment(hooks: ModuleType, folder: Path) -> None:
    from mainstem import catalogue

    made(folder)
    found = shown.joined(content(hooks, "<!-- verdicts -->"))
    for name in catalogue.names("experiment"):
        assert f"<code>{name}</code>" in found
    assert found.count("<strong>supported</strong>") == 1
    assert found.count(">–</td>") == len(catalogue.names("experiment")) - 1


def test_the_configuration_reference_has_every_field_and_what_names_have_by_themselves(hooks: ModuleType) -> None:
    from mainstem import config

    found = hooks.on_page_markdown("<!-- fields -->", Page, {}, None)
    rows = [line for line in found.splitlines() if line.startswith("| `")]
    names = [row.split("`")[1] for row in rows]
    assert {field.name for field in config.fields(config.Run)} <= set(names)
    assert "| `penalty.N.share` | elastic\\_net: 1 is L1, 0 is L2 | number | 0.5 |" in rows
    assert "| `optim.momentum` | muon: Muon's momentum | number \\>= 0, &lt; 1 | 0.9 |" in rows
    assert "| `train.steps` | optimizer steps | int \\>= 1 | none |" in rows
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)  # no cell is taken apart


def test_the_chinese_reference_says_every_field_and_what_names_bring_along(hooks: ModuleType) -> None:
    import yaml

    from mainstem import config
    from mainstem.cli import help as told

    chinese = yaml.safe_load(hooks.CHINESE.read_text(encoding="utf-8"))
    fields = [field.name for field in config.fields(config.Run) if not field.of]
    assert sorted(chinese["fields"]) == sorted(fields)
    assert sorted(chinese["values"]) == sorted({field.meaning for field in config.fields(config.Run) if field.of})
    assert sorted(chinese["sections"]) == sorted(told.SECTIONS)
    found = hooks.on_page_markdown("<!-- fields -->", Page, {"theme": {"language": "zh-Hant"}}, None)
    assert "| `train.steps` | 最佳化的步數 | 整數 ≥ 1 | 無 |" in found
    assert (
        "| `data.format` | 檔案如何讀取 | text\\|<wbr>lines\\|<wbr>jsonl\\|<wbr>bytes | text |" in found
    )  # names are names
    assert "| `machine.recompute` | 反向傳播時重新計算什麼 | none\\|<wbr>blocks | none |" in found
    rows = re.findall(r"^\| `[^`]*` \| .*? \| (.*?)(?<!\\)\| (.*?) \|$", found, re.MULTILINE)
    english = "int|number|switch|list of|value|required|by preset|as heads"
    assert [row for row in rows if re.match(rf"(?:{english})\b", row[0]) or re.match(rf"(?:{english})\b", row[1])] == []
    assert "| `optim.momentum` | muon：Muon 的動量 |" in found
    english = hooks.on_page_markdown("<!-- fields -->", Page, {}, None)
    names = [[line.split("`")[1] for line in text.splitlines() if line.startswith("| `")] for text in (found, english)]
    assert names[0] == names[1]


def test_an_option_in_a_sentence_is_not_cut(hooks: ModuleType) -> None:
    text = "<p><code>--optim.lr 1</code> and <code>a - b</code></p><pre><code>--seed 2</code></pre>"
    found = hooks.on_page_content(text, Page, {}, None)
    assert found.count("<span") == 1 and '<code><span class="word">--optim.lr</span> 1</code>' in found
