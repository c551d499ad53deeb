"""What YAML may hold and what is refused, in a sentence."""

import time
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mainstem.config import read
from mainstem.config.reader import DEPTH, LIMIT, scalar, value
from mainstem.errors import BadInput


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1e-3", 1e-3), ("1.0e-08", 1e-8), ("-.5", -0.5), ("+7", 7), ("010", 10), ("3.", 3.0), ("1_000", "1_000"),
        ("off", "off"), ("no", "no"), ("true", True), ("~", None), ("", None), ("null", None), ("1e", "1e"),
        ("0x10", "0x10"), ("12:30", "12:30"), ("2026-01-01", "2026-01-01"), ("=", "="), ("<<", "<<"), ("١", "١"),
    ],
)  # fmt: skip
def test_plain_scalars_follow_yaml_1_2(text: str, found: object) -> None:
    assert scalar(text) == found
    assert type(scalar(text)) is type(found)


def test_quoted_scalars_are_text() -> None:
    assert read("a: '1e-3'\nb: \"null\"\nc: |\n  5\n") == {"a": "1e-3", "b": "null", "c": "5\n"}


def test_an_empty_text_is_an_empty_mapping() -> None:
    assert read("") == read("# nothing\n") == read(b"\xef\xbb\xbf") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", r"line 3, the key 'a' is given a second time"),
        ("x:\n  a: 1\n  a: 1\n", r"line 3, the key 'a'"),
        ("a: !!python/object/apply:os.system [ls]\n", "tags are not read"),
        ("a: !!str 5\n", "tags are not read"),
        ("a: &x 5\nb: *x\n", "anchor or alias"),
        ("a: &x [1]\n", "anchor or alias"),
        ("<<: *x\n", "anchor or alias"),
        ("*x : 1\n", "anchor or alias"),
        ("? [1]\n: 2\n", "a key is not a name"),
        ("a: 1\n---\nb: 2\n", "second document"),
        ("- 1\n", "is a list, not a mapping"),
        ("5", "is a number, not a mapping"),
        ("hello", "is a text, not a mapping"),
        ("a: [1\n", "is not YAML"),
        ("a: b: c\n", "line 1"),
        ("\ta: 1\n", "is not YAML"),
        ('a: "\\UFFFFFFFF"', "is not YAML"),
        ("a: \x00", "is not YAML"),
        ("train: {lr: .nan}", r"train\.lr is \.nan, which is not a finite number"),
        ("a: [1, -.inf]", r"a\.1 is -\.inf"),
        ("a: 1e999", "a is 1e999"),
        ("[" * (DEPTH + 2), "more than 16 levels deep"),
        ("a:\n" + "".join(" " * n + "a:\n" for n in range(1, 40)), "more than 16 levels deep"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read(text)


def test_what_one_reader_changes_another_does_not_see() -> None:
    text = "train: {steps: 5}\nlist: [1]"
    found = read(text)
    found["train"]["steps"] = 6
    found["list"].append(2)
    assert read(text) == {"train": {"steps": 5}, "list": [1]}


def test_bytes_that_are_no_utf_8_are_named_by_their_offset() -> None:
    with pytest.raises(BadInput, match="not UTF-8 at byte 3"):
        read(b"a: \xff\n")


def test_size_is_bounded() -> None:
    with pytest.raises(BadInput, match="at most 1048576"):
        read(b"#" * (LIMIT + 1))


def test_depth_is_refused_before_it_costs_anything() -> None:
    began = time.process_time()
    with pytest.raises(BadInput, match="levels deep"):
        read("[" * (LIMIT - 1))
    assert time.process_time() - began < 10  # the scanner stops with us, not after the last bracket


def refusal(call: Callable[[], object]) -> str | None:
    """Return why `call` is refused, None where it is not; any other error is raised."""
    try:
        call()
    except BadInput as error:
        return str(error)
    return None


@given(st.binary(max_size=200))
@example(b'"\\ud800"')
@example(b"%YAML 99999999999999999999\n---\na: 1")
@example(b"a: " + b"9" * 5000)
@example(b"a: 1\r\n\x85b: 2")
def test_fuzz_any_bytes_are_a_mapping_or_refused(data: bytes) -> None:
    said = refusal(lambda: read(data))
    assert said is None or 10 < len(said) < 600


@given(st.text(st.sampled_from("ab:-[]{},&*!|>'\"%@`#? \n\t01.e~\\"), max_size=40))
def test_fuzz_text_of_yaml_s_own_signs(text: str) -> None:
    said = refusal(lambda: value(text, "it"))
    assert said is None or 10 < len(said) < 600
