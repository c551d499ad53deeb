"""The page that compares runs: what it says, what it refuses, and how it looks in a real browser."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path

import browser
import pytest
import run_folders
import shown
from run_folders import EVIL, Made

from mainstem import config
from mainstem.errors import BadInput
from mainstem.report import compare

SHORT = Made(steps=60, eval_every=10, quantities=10, layers=2)


def make(root: Path, *names: str, **settings: object) -> list[Path]:
    """Runs that differ in their seed, in the numbers too."""
    return [
        run_folders.make(root / name, Made(60, 10, 10, layers=2, seed=i), seed=i, **settings)
        for i, name in enumerate(names)
    ]


def text(path: Path) -> str:
    """What one reads on the page."""
    page = re.sub(r"<(style|script)[^>]*>.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", shown.joined(page))).split())


def facts(folder: Path, **corpus: object) -> None:
    found = json.loads((folder / "facts.json").read_text())
    found["bytes_per_token"] = corpus.pop("bytes_per_token", found["bytes_per_token"])
    found["corpus"] |= corpus
    (folder / "facts.json").write_text(json.dumps(found))


def test_the_lowest_is_named_with_what_its_seeds_say(tmp_path: Path) -> None:
    runs = make(tmp_path, "a-seed0", "a-seed1") + make(tmp_path, "b-seed0", "b-seed1", noise=config.Noise())
    for run in runs[2:]:  # b: much worse
        values = json.loads((run / "facts.json").read_text())
        values["outcome"]["best"]["nats_per_token"] += 1.0
        (run / "facts.json").write_text(json.dumps(values))
    said = text(compare(runs, tmp_path))
    best = [json.loads((run / "facts.json").read_text())["outcome"]["best"]["nats_per_token"] for run in runs[:2]]
    assert f"a is lowest on held-out text: {sum(best) / 2:.4f} nats per token, the mean of 2 seeds, 1 below b." in said
    assert "Every seed of the one lies below every seed of the other." in said
    assert "4 runs, 2 configurations" in said
    assert "noise.rate 0.1 null" in said
    assert "a (2 seeds)" in said
    for name in ("a-seed0", "a-seed1", "b-seed0", "b-seed1"):
        assert name in said


def scored(folder: Path) -> None:
    """Have a made-up run be one of a task whose score is an accuracy."""
    for name in ("metrics.jsonl", "facts.json"):
        (folder / name).write_text((folder / name).read_text().replace("nats_per_token", "accuracy"))
    found = json.loads((folder / "facts.json").read_text())
    found["scores"] = [{"name": "accuracy", "title": "held-out accuracy", "unit": "of 1", "lower": False}]
    (folder / "facts.json").write_text(json.dumps(found))


def test_of_a_score_that_is_better_higher_the_highest_is_named(tmp_path: Path) -> None:
    runs = make(tmp_path, "a-seed0", "a-seed1") + make(tmp_path, "b-seed0", "b-seed1", noise=config.Noise())
    for run in runs:
        scored(run)
    for run in runs[2:]:
        values = json.loads((run / "facts.json").read_text())
        values["outcome"]["best"]["accuracy"] += 1.0
        (run / "facts.json").write_text(json.dumps(values))
    said = text(compare(runs, tmp_path))
    best = [json.loads((run / "facts.json").read_text())["outcome"]["best"]["accuracy"] for run in runs[2:]]
    assert f"b is highest on held-out text: {sum(best) / 2:.4f} of 1, the mean of 2 seeds, 1 above a." in said
    assert "Every seed of the one lies above every seed of the other." in said
    assert "Held-out accuracy over steps" in said and "nats per token" not in said


def test_runs_with_other_scores_are_not_compared(tmp_path: Path) -> None:
    runs = make(tmp_path, "a", "b")
    scored(runs[1])
    said = text(compare(runs, tmp_path))
    assert "different scores, which are not comparable: held-out loss in nats per token, held-out accuracy in" in said
    assert "lowest" not in said


def test_one_seed_or_seeds_that_overlap_are_called_so(tmp_path: Path) -> None:
    alone = make(tmp_path, "a") + make(tmp_path, "b", noise=config.Noise())
    assert "One seed says nothing of chance" in text(compare(alone, tmp_path))
    both = make(tmp_path / "2", "a0", "a1") + make(tmp_path / "2", "b0", "b1", noise=config.Noise())
    assert "Their seeds overlap, so this may be chance." in text(compare(both, tmp_path))


def test_losses_on_different_text_are_not_compared(tmp_path: Path) -> None:
    runs = make(tmp_path, "a", "b")
    facts(runs[1], held_out_hash="other")
    said = text(compare(runs, tmp_path))
    assert "The losses are not comparable: these runs were held out on 2 different texts." in said
    assert "is lowest" not in said
    facts(runs[1], held_out_hash=None)
    said = text(compare(runs, tmp_path))
    assert "What b was held out on is not recorded" in said
    assert "is lowest" not in said


def test_other_tokens_are_compared_in_bits_per_byte(tmp_path: Path) -> None:
    runs = make(tmp_path, "a") + make(tmp_path, "b", noise=config.Noise())
    facts(runs[1], tokenizer="bpe", bytes_per_token=3.0)
    said = text(compare(runs, tmp_path))
    assert "nats per token are not comparable, and bits per byte are" in said
    assert re.search(r"is lowest on held-out text: [\d.]+ bits per byte", said)


def test_more_groups_than_styles_are_in_the_tables_and_said_to_be_left_out(tmp_path: Path) -> None:
    runs = []
    for i in range(8):
        runs += make(tmp_path / str(i), f"run-{'abcdefgh'[i]}", train=config.Train(steps=100 + i))
        values = json.loads((runs[-1] / "facts.json").read_text())
        values["outcome"]["best"]["nats_per_token"] = 3.0 - 0.1 * i
        (runs[-1] / "facts.json").write_text(json.dumps(values))
    path = compare(runs, tmp_path)
    said = text(path)
    assert "Drawn are the 6 with the lowest held-out loss: run-c, run-d, run-e, run-f, run-g, run-h." in said
    assert "The other 2 stand in the tables alone." in said
    legend = re.search(r'id="figure-held-steps">.*?</ul>', path.read_text(), re.DOTALL)
    assert legend
    assert re.findall(r"run-\w", legend[0]) == ["run-c", "run-d", "run-e", "run-f", "run-g", "run-h"]


def test_a_run_without_numbers_is_named_and_some_run_must_have_some(tmp_path: Path) -> None:
    runs = make(tmp_path, "a", "b")
    (runs[1] / "metrics.jsonl").unlink()
    (runs[1] / "facts.json").unlink()
    assert "b has recorded no step." in text(compare(runs, tmp_path))
    (runs[0] / "metrics.jsonl").write_text("")
    with pytest.raises(BadInput, match="None of these runs has recorded a step"):
        compare(runs, tmp_path)


def test_a_run_that_is_given_twice_is_refused_by_any_of_its_names(tmp_path: Path) -> None:
    run = make(tmp_path, "a")[0]
    (tmp_path / "link").symlink_to(run)
    for again in (run, tmp_path / "link"):
        with pytest.raises(BadInput, match="is given twice"):
            compare([run, again], tmp_path)
    with pytest.raises(BadInput, match="not the folder of a run"):
        compare([run, tmp_path], tmp_path)


def test_a_copy_of_a_run_is_left_out_of_the_means(tmp_path: Path) -> None:
    runs = make(tmp_path, "a0", "a1")
    shutil.copytree(runs[0], tmp_path / "a2")
    said = text(compare([*runs, tmp_path / "a2"], tmp_path))
    assert "a2 repeats the configuration and the seed of another run" in said
    assert "a (2 seeds)" in said


def test_only_a_page_of_ours_is_written_over(tmp_path: Path) -> None:
    runs = make(tmp_path, "a", "b")
    path = compare(runs, tmp_path / "own.html")
    before = path.read_bytes()
    assert compare(runs, path).read_bytes() == before, "the same runs give the same bytes"
    other = runs[0] / "config.yaml"
    with pytest.raises(BadInput, match="holds something else"):
        compare(runs, other)
    with pytest.raises(BadInput, match="There is no folder"):
        compare(runs, tmp_path / "none" / "x.html")
    assert compare(runs, tmp_path) == tmp_path / "compare.html"


def test_a_strangers_text_never_becomes_markup(tmp_path: Path) -> None:
    name = EVIL.replace("/", "").replace("\0", "")
    runs = [run_folders.evil_folder(tmp_path / name), *make(tmp_path, "b")]
    page = compare(runs, tmp_path).read_text(encoding="utf-8")
    assert "<script>bad()" not in page
    assert "<img" not in page
    assert not re.search(r"[\x00\x1b\u2028\u202e]", page)
    assert not re.search(r'd="[^"]*(nan|inf)', page)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("several")
    seeds = make(root, "plain-seed0", "plain-seed1", "plain-seed2")
    many = [make(root / str(i), f"width-{2**i}", train=config.Train(steps=100 + i))[0] for i in range(9)]
    name = EVIL.replace("/", "").replace("\0", "")
    evil = [run_folders.evil_folder(root / name), run_folders.evil_folder(root / ("a-name-as-long-as-" * 5))]
    joined = [*make(root, "a_name_that_no_hyphen_ends_a_line_of_" * 2), *make(root, "b")]
    for run in many[3:]:
        facts(run, held_out_hash="other")
    return {
        "seeds": compare([*seeds, *make(root, "dropout-0", "dropout-1", noise=config.Noise())], root / "seeds.html"),
        "many": compare([*many, *seeds], root / "many.html"),
        "joined": compare(joined, root / "joined.html"),
        "evil": compare(evil, root / "evil.html", "mainstem report " + EVIL),
    }


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", browser.WIDTHS)
@pytest.mark.parametrize("name", ["seeds", "many", "joined", "evil"])
def test_the_page_is_quiet_and_nothing_overlaps(
    tab: browser.Page, pages: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    browser.assert_quiet(tab, pages[name], width, dark)
