from mainstem.data.left_out import HIDDEN, NOT_TEXT, RUNS, LeftOut


def test_counts_come_in_a_fixed_order_with_the_first_of_each() -> None:
    left = LeftOut()
    assert not left
    assert (str(left), left.counts()) == ("", {})
    left.add(NOT_TEXT, "pictures/of/the/river/and/its/delta.png")
    other = left.copy()
    other.add(HIDDEN, ".git")
    other.add(NOT_TEXT, "b.png")
    assert left.counts() == {"not_text": 1}
    left.extend(other)
    left.add(RUNS, "runs\n")
    assert list(left.counts().items()) == [("hidden", 1), ("runs", 1), ("not_text", 3)]
    said = r"1 hidden ('.git'), 1 of runs ('runs\n'), 3 not text ('...ver/and/its/delta.png', ...)"
    assert str(left) == said
