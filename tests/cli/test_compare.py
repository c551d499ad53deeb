"""Two YAML files against each other from the command line."""

import json
from pathlib import Path

import pytest

from mainstem.cli import compare
from mainstem.cli.main import main

Capture = pytest.CaptureFixture[str]
SMALL = """
model: {layers: 1, width: 16, heads: 2, context: 16}
train: {steps: 4, batch: 4}
evaluate: {every: 2}
data: {tokenizer: byte}
"""


@pytest.fixture
def pair(tmp_path: Path) -> list[str]:
    """Two files that differ in their learning rate, by so much that two seeds can tell."""
    (tmp_path / "slow.yaml").write_text(SMALL + "optim: {lr: 1.0e-5, warmup: 0.0}\n")
    (tmp_path / "fast.yaml").write_text(SMALL + "optim: {lr: 2.0e-2, warmup: 0.0}\n")
    return [str(tmp_path / name) for name in ("slow.yaml", "fast.yaml")]


def test_the_better_one_is_named(pair: list[str], corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "out"
    words = ["compare", *pair, "--seeds", "3", "--out", str(out), "--data.paths", str(corpus)]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("fast is better than slow by ") and line.endswith(" bits per byte.") for line in lines)
    assert lines[-1] == str(out / "compare.html")
    found = json.loads((out / "compare.json").read_text())
    assert found["verdict"] == "supported"
    assert found["contrasts"][0]["mean"] < -0.01
    text = (out / "compare.html").read_text()
    assert "optim.lr" in text and "fast" in text
    assert len(list((out / "runs").iterdir())) == 6
    assert main(["compare", pair[1], pair[0], *words[3:]]) == 0
    assert "fast is better than slow by " in capsys.readouterr().out


def test_a_difference_is_weighed_against_the_smallest_of_interest(
    pair: list[str], corpus: Path, tmp_path: Path, capsys: Capture
) -> None:
    words = ["compare", *pair, "--seeds", "3", "--out", str(tmp_path / "out"), "--data.paths", str(corpus)]
    verdicts = []
    for extra in ([], ["--delta", "100"]):
        assert main([*words, *extra]) == 0
        verdicts.append(json.loads((tmp_path / "out" / "compare.json").read_text())["verdict"])
    assert verdicts[0] == "supported" and verdicts[1] != "supported"


def test_a_run_can_be_a_side(finished: Path, corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    out = str(tmp_path / "out")
    other = tmp_path / "other.yaml"
    other.write_text(
        (finished / "config.yaml").read_text().replace("decay: 0.1", "decay: 0.2").replace("\nseed: 0\n", "\nseed: 7\n")
    )
    assert main(["compare", str(finished), str(other), "--seeds", "1", "--out", out, "--train.steps", "2"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("The seed 7 of other is not used: every side is trained with seeds from 0 on.")
    assert "give more --" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a, b: [a], "Something is missing"),
        (lambda a, b: [a, a], "given twice"),
        (lambda a, b: [a, b, b], "given twice"),
        (lambda a, b: [a, "--vary", "optim.lr"], "is not a field with its values"),
        (lambda a, b: [a, "--vary", "optim.lr=0.1,"], "is not a field with its values"),
        (lambda a, b: [a, "--vary", "optim.lr=0.1,0.1"], "has a value twice"),
        (lambda a, b: [a, "--vary", "optim.lr=0.1"], "nothing to be compared with"),
        (lambda a, b: [a, "--vary", "optim.lrr=0.1,0.2"], "optim.lrr"),
        (lambda a, b: [a, "--vary", "seed=1,2"], "--seed cannot be given here, since every side"),
        (lambda a, b: [a, b, "--seed", "1"], "seeds from 0 on: give --seeds N."),
        (lambda a, b: [a, b, "--log.every", "1"], "--log.every cannot be given here, since"),
        (lambda a, b: [a, "--vary", "out=x,y"], "each run has a folder of its own below --out"),
        (lambda a, b: [a, "--vary", "optim.lr=1,2", "--vary", "optim.lr=3,4"], "names one field twice"),
        (lambda a, b: [a, "--vary", "optim.lr=1,2", "--optim.lr", "0.1"], "are both given"),
        (lambda a, b: [a, "--vary", f"train.batch={','.join(map(str, range(1, 18)))}"], "17 configurations are more"),
        (lambda a, b: [a, "--vary", "model.residual=pre_norm,nothing"], "model.residual"),
        (lambda a, b: [a, b + "x"], "does not exist"),
        (lambda a, b: [a, b, "--seeds", "0"], "seeds is 0"),
        (lambda a, b: [a, b, "--delta", "-1"], "delta is -1"),
        (lambda a, b: [a, b, "--optim.lr", "0.1"], "same configuration"),
        (lambda a, b: [a, b, "--optim.lrr", "0.1"], "optim.lrr"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(change, said, pair, corpus, tmp_path, capsys: Capture) -> None:
    words = ["compare", *change(*pair), "--data.paths", str(corpus), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_side_has_the_name_of_its_file_or_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compare._names(["a.yaml", "b/c.yml"]) == ["a", "c"]
    assert compare._names(["runs/lr0.1", "runs/lr0.2/"]) == ["lr0.1", "lr0.2"]
    assert compare._names(["x/a.yaml", "y/a.yaml"]) == ["x/a.yaml", "y/a.yaml"]
    (tmp_path / "first").mkdir()
    monkeypatch.chdir(tmp_path / "first")
    assert compare._names([".", "../second"]) == ["first", "second"]


def test_values_of_a_field_are_compared_on_one_page_below_runs(
    pair: list[str], corpus: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["compare", pair[1], "--vary", "model.residual=pre_norm,post_norm,hyper", "--seeds", "2", "--train.steps",
             "2", "--data.paths", str(corpus)]  # fmt: skip
    assert main([*words, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [cell["name"] for cell in answer["cells"]] == ["pre_norm", "post_norm", "hyper"]
    assert {contrast["says"].split()[0] for contrast in answer["contrasts"]} == {"post_norm", "hyper"}
    page = Path(answer["page"])
    assert page.parts[0] == "runs" and page.parts[1].startswith("compare-pre_norm-post_norm-hyper-")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({"runs", "slow.yaml", "fast.yaml"})
    before = page.read_bytes()
    other = [*words[:2], "--vary", "optim.lr=0.01,0.02", *words[4:]]
    assert main([*other, "--seeds", "1"] if "--seeds" not in other else other) == 0
    assert page.read_bytes() == before
    assert main([*other, "--out", str(page.parent)]) == 2
    assert "holds a comparison of other configurations" in capsys.readouterr().err
    assert page.read_bytes() == before


def test_nothing_that_was_there_is_written_over(pair: list[str], corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "out"
    out.mkdir()
    words = ["compare", *pair, "--seeds", "1", "--out", str(out), "--data.paths", str(corpus)]
    for name, content in (("compare.json", "[1, 2]"), ("compare.json", "{"), ("compare.json", '{"facts": {}}'),
                          ("compare.html", "mine")):  # fmt: skip
        (out / name).write_text(content)
        assert main(words) == 2
        assert f"holds a {name} that is none of this command's, which would be lost" in capsys.readouterr().err
        assert (out / name).read_text() == content
        (out / name).unlink()
    assert list(out.iterdir()) == []


def test_results_do_not_become_text(
    pair: list[str], corpus: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "text"
    text.mkdir()
    (text / "a.txt").write_bytes(corpus.read_bytes())
    words = ["compare", *pair, "--seeds", "1", "--train.steps", "2", "--data.paths", str(text)]
    assert main([*words, "--out", str(text / "out")]) == 2
    assert "whose files are read as text, so that its results would be trained on" in capsys.readouterr().err
    assert not (text / "out").exists()
    monkeypatch.chdir(text)
    assert main(words) == 0  # below runs, which are no text
    assert main([*words, "--data.glob", "*.txt", "--out", "out"]) == 0
