"""One thing is said in the singular, and nothing is shown as minus zero."""

import re
from pathlib import Path

import pytest

from mainstem.cli.main import main
from mainstem.wording import fixed, several, size

GOLDEN = Path(__file__).parent / "golden"

MANY = re.compile(
    r"(?<![\w.,/x+-])1 (?:held-out )?(?:steps|passes|tokens|threads|cores|layers|sequences|evaluations|documents|"
    r"bytes|targets|places|windows|seeds|runs|configurations|members|heads|hidden units|processes|"
    r"parameters|samples|blocks)\b"
)
"""One of what is said in the plural."""

MINUS_ZERO = re.compile(r"(?<![\w.])[-−]0(?:\.0+)?(?![\d.]|e-?\d)")


def faults(text: str) -> list[str]:
    """Return what of a text is said wrongly."""
    return [
        text[max(0, found.start() - 30) : found.end()] for way in (MANY, MINUS_ZERO) for found in way.finditer(text)
    ]


@pytest.mark.parametrize(
    ("count", "thing", "form", "said"),
    [
        (0, "step", ",.0f", "0 steps"), (1, "step", ",.0f", "1 step"), (1.0, "step", ",.0f", "1 step"),
        (12345, "step", ",.0f", "12,345 steps"), (1.0004, "pass", ".3g", "1 pass"), (1.1, "pass", ".3g", "1.1 passes"),
        (2, "process", ",.0f", "2 processes"), (2, "box", ",.0f", "2 boxes"), (2, "branch", ",.0f", "2 branches"),
    ],
)  # fmt: skip
def test_one_is_one(count: float, thing: str, form: str, said: str) -> None:
    assert several(count, thing, form) == said


@pytest.mark.parametrize(
    ("number", "form", "said"),
    [
        (-0.0, ".4f", "0.0000"), (-4e-5, ".4f", "0.0000"), (-6e-5, ".4f", "-0.0001"), (4e-5, "+.4f", "0.0000"),
        (0.25, "+.1%", "+25.0%"), (-1e-9, "+.1%", "0.0%"), (-10.0, ".0f", "-10"), (float("-inf"), ".2f", "-inf"),
        (float("nan"), ".2f", "nan"),
    ],
)  # fmt: skip
def test_zero_has_no_sign(number: float, form: str, said: str) -> None:
    assert fixed(number, form) == said


def test_a_size_is_said_in_the_unit_that_fits() -> None:
    assert [size(count) for count in (1, 999, 1000, 999_999, 2.5e9, 1e13)] == [
        "1 byte", "999 bytes", "1 kB", "1 MB", "2.5 GB", "10 TB",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["card.md", "chosen.txt", "display.txt", "plain.txt", "plan.txt", "screens.txt"])
def test_what_is_kept_of_screens_says_numbers_right(name: str) -> None:
    assert faults((GOLDEN / name).read_text()) == []


def test_a_run_of_one_step_one_layer_and_one_pass_is_said_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each number that can be 1 is, and nothing is learned, so that differences are zero."""
    monkeypatch.chdir(tmp_path)
    text = Path("text.txt")
    text.write_text(
        "".join(f"{number}. The river carries what {number * 7} tributaries add.\n" for number in range(40))
    )
    words = [
        "--train.steps", "1", "--model.layers", "1", "--model.width", "16", "--model.heads", "1", "--model.context",
        "8", "--train.batch", "1", "--train.patience", "1", "--optim.lr", "1e-9", "--optim.muon-lr", "1e-9",
        "--machine.threads", "1", "--data.tokenizer", "byte", "--out", "run",
    ]  # fmt: skip
    assert main(["train", str(text), *words]) == 0
    assert main(["evaluate", "run"]) == 0
    assert main(["evaluate", "run", str(text)]) == 0
    assert main(["probe", "run"]) == 0
    shown = capsys.readouterr()
    assert "up to 1 step of" in shown.out
    pages = [re.sub(r"<script.*?</script>|<style.*?</style>|<svg.*?</svg>", "", path.read_text(), flags=re.DOTALL)
             for path in Path("run").rglob("*.html")]  # fmt: skip
    assert len(pages) >= 2
    for said in (shown.out, shown.err, Path("run/card.md").read_text(), *pages):
        assert faults(re.sub(r"<[^>]*>", " ", said)) == []
