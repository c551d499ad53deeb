"""A trial is found again by all that decides it, and by nothing else; damage costs one trial."""

import math

import pytest

from mainstem import config
from mainstem.lab.cache import Cache, Kept, key

RUN = config.load({"model.width": 32, "model.heads": 2, "train.steps": 5})


def test_what_was_kept_is_found(tmp_path):
    cache, kept = Cache(tmp_path / "new" / "trials"), Kept({"loss": 1.5, "curve": [1.0, 2.0], "bad": math.inf}, 2.5)
    assert cache.get("k") is None
    cache.put("k", kept)
    assert Cache(tmp_path / "new" / "trials").get("k") == kept


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"numbers": 3, "seconds": 1}', b'{"numbers": {"a": "x"}, "seconds": 1}', b"\xff"]
)
def test_a_damaged_one_is_none(tmp_path, damage):
    cache = Cache(tmp_path)
    cache.put("k", Kept({"a": 1.0}, 1.0))
    (tmp_path / "k.json").write_bytes(damage)
    assert cache.get("k") is None


def test_the_key_is_of_all_that_decides():
    same = key(["e", 1], RUN, "text")
    moved = config.override(RUN, {"out": "elsewhere", "log.every": 3, "data.paths": ["moved.txt"], "data.verify": True})
    assert key(["e", 1], moved, "text") == same
    assert key(["e", 1], config.override(RUN, {"data.tokenizer": "byte"}), "text") == same  # as the laboratory has it
    others = [
        key(["e", 2], RUN, "text"), key(["f", 1], RUN, "text"), key(["e", 1], RUN, "other"),
        *(key(["e", 1], config.override(RUN, change), "text")
          for change in ({"seed": 1}, {"train.steps": 6}, {"noise.rate": 0.1}, {"model.residual": "post_norm"},
                         {"optim.lr": 1e-4}, {"penalty.0.name": "l1", "penalty.0.coef": 1e-4},
                         {"data.documents": "mask"}, {"data.sealed": 0.1}, {"data.tokenizer": "char"},
                         {"data.tokenizer": {"name": "bpe", "vocabulary": 300}}, {"data.tokenizer": "bpe"})),
    ]  # fmt: skip
    assert len({same, *others}) == 1 + len(others)
