"""A text is read once for all trainings of an experiment."""

from mainstem import config
from mainstem.lab import text


def test_a_section_that_was_read_is_remembered(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("some words and more words\n" * 200)
    read = text.reader(tmp_path / "tokens")
    section = config.load({"data.paths": [str(path)], "data.tokenizer": "byte"}).data
    first = read(section)
    assert read(config.load({"data.paths": [str(path)], "data.tokenizer": "byte"}).data) is first
    assert read(config.load({"data.paths": [str(path)], "data.tokenizer": "char"}).data) is not first
