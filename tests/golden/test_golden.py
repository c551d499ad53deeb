"""What a run shows and writes is what it was, to the last word. After a change that is meant: `make golden`, and read
the difference.
"""

import importlib.util
import json

import golden
import golden_screens
import pytest

_SPEC = importlib.util.spec_from_file_location("mutations", golden.FOLDER / "mutations.py")
mutations = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(mutations)


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    return golden.made(tmp_path_factory.mktemp("golden"))


@pytest.mark.parametrize("name", golden.NAMES)
def test_it_is_what_it_was(texts, name):
    found = golden.differences(name, texts[name], (golden.FOLDER / name).read_text())
    assert not found, "\n".join([f"{name}:", *found[:20]])


def test_no_line_is_wider_than_the_terminal(texts):
    for name in ("plain.txt", "display.txt", "screens.txt"):
        shown = [line for line in texts[name].splitlines() if not line.startswith("$ ")]  # what a person typed
        assert max(map(len, shown)) <= golden.COLUMNS


def test_no_number_stands_near_the_edge_of_a_digit(texts):
    assert not golden.fragile(texts)


def test_the_comparison_sees_other_numbers_names_and_words():
    line = json.dumps({"step": 1, "loss": 2.5})
    assert not golden.differences("metrics.jsonl", json.dumps({"step": 1, "loss": 2.5001}), line)
    assert golden.differences("metrics.jsonl", json.dumps({"step": 1, "loss": 2.51}), line)
    assert golden.differences("metrics.jsonl", json.dumps({"loss": 2.5, "step": 1}), line)
    assert golden.differences("metrics.jsonl", line + "\n" + line, line)
    assert golden.differences("plan.txt", "a\nb\n", "a\n") and golden.differences("plan.txt", "a\n", "b\n")
    assert golden.fragile({"plain.txt": "loss 1.250", "metrics.jsonl": "1.2504999", "facts.json": "{}"})


@pytest.mark.parametrize("fault", [*mutations.FAULTS, *mutations.SCREENS], ids=lambda fault: fault.name)
def test_a_fault_of_make_mutants_changes_one_line_that_is_there(fault):
    source = (mutations.ROOT / "src" / "mainstem" / fault.path).read_text()
    assert source.count(fault.right) == 1 and fault.right != fault.wrong


def test_each_screen_has_a_fault_that_it_has_to_notice():
    assert {golden_screens.meant(fault.screen) for fault in mutations.SCREENS} == set(golden_screens.SCREENS)
