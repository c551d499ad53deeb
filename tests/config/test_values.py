"""What stands in the source of a variant is what Python finds when it is imported."""

import dataclasses
import subprocess
import sys
from typing import Any

import pytest

from mainstem import catalogue, config
from mainstem.config import values

KINDS = (
    "residual", "penalty", "after", "decay", "norm", "noise", "loss", "optimizer", "around", "skip", "schedule",
    "course", "tokenizer", "embedding",
)  # fmt: skip
VALUED = [spec for kind in KINDS for spec in catalogue.specs(kind)]


@pytest.mark.parametrize("spec", VALUED, ids=lambda spec: f"{spec.kind}-{spec.name}")
def test_the_fields_of_a_dataclass_are_found_in_their_order(spec: catalogue.Spec) -> None:
    target: Any = spec.load()
    found = values.of(spec.kind, spec.name)
    if not dataclasses.is_dataclass(target):
        assert found == ()
        return
    fields = [field for field in dataclasses.fields(target) if field.repr]  # others are filled by the code
    assert [value.name for value in found] == [field.name for field in fields]
    for value, field in zip(found, fields, strict=True):
        assert (value.default is None) == (field.default is dataclasses.MISSING)
        if value.default is not None:
            assert eval(value.default) == field.default


def test_what_they_mean_stands_in_the_docstring() -> None:
    (share,) = [value for value in values.of("penalty", "elastic_net") if value.name == "share"]
    assert share == values.Value("share", "float", "0.5", "1 is L1, 0 is L2.")
    inherited = {value.name: value.meaning for value in values.of("penalty", "l1")}
    assert "role or a pattern of names" in inherited["on"]
    for kind in (*KINDS[-7:], "residual"):
        assert all(value.meaning for spec in catalogue.specs(kind) for value in values.of(kind, spec.name)), kind


def test_nothing_heavy_is_imported() -> None:
    asked = "from mainstem.config import values; values.of('residual', 'hyper')"
    subprocess.run([sys.executable, "-c", f"import sys; {asked}; assert 'torch' not in sys.modules"], check=True)


def test_null_is_kept_where_it_says_something_else_than_the_default() -> None:
    run = config.load({"model.residual": "bdia", "model.residual.bits": "null"})
    assert run.model.residual == {"name": "bdia", "bits": None}
    assert config.parse(config.dump(run)) == run
    given = [{"name": "drop_head", "rate": 0.1, "over": None, "course": None}]
    assert config.load({"noise.also": given}).noise.also == [{"name": "drop_head", "rate": 0.1, "over": None}]
