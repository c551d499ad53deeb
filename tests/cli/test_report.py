"""`mainstem report` writes the page again and says where."""

import shutil
from pathlib import Path

import pytest

from mainstem.cli.main import main


def test_it_is_written_again(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    (run / "report.html").unlink(missing_ok=True)
    assert main(["report", str(run)]) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"
    assert (run / "report.html").read_text().startswith("<!")


def test_several_runs_are_compared_where_one_says(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [str(shutil.copytree(finished, tmp_path / name)) for name in ("a", "b")]
    monkeypatch.chdir(tmp_path)
    there = set(tmp_path.iterdir())
    assert main(["report", *runs]) == 0
    page = Path(capsys.readouterr().out.strip())
    assert page.parent == Path("runs") and page.name.startswith("compare-a-b-")
    assert "How it was made" in page.read_text()
    assert set(tmp_path.iterdir()) - there == {tmp_path / "runs"}
    before = page.read_bytes()
    third = str(shutil.copytree(finished, tmp_path / "c" / "b"))
    assert main(["report", runs[0], third]) == 0
    other = Path(capsys.readouterr().out.strip())
    assert other != page and page.read_bytes() == before
    assert main(["report", *runs[::-1]]) == 0
    assert Path(capsys.readouterr().out.strip()).parent == Path("runs")
    assert main(["report", *runs, "--out", "own.html"]) == 0
    assert capsys.readouterr().out == "own.html\n"
    assert not (tmp_path / "a" / "compare.html").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a", "a"], "is given twice"),
        (["a", "none"], "There is no run at 'none'"),
        (["a", "."], "holds no config.yaml"),
        (["a", "b", "--out", "a/config.yaml"], "holds something else"),
        (["a", "b", "--out", "none/x.html"], "There is no folder 'none'"),
        (["a", "--out", "x.html"], "is for several runs"),
        (["a", "b", "--into", "x.html"], "is not an option"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    words: list[str], said: str,
) -> None:  # fmt: skip
    for name in ("a", "b"):
        shutil.copytree(finished, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert main(["report", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_help_says_where_the_page_goes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--help"]) == 0
    assert "a page of these runs below runs" in " ".join(capsys.readouterr().out.split())
