"""A value for a whole field and one for a part of it go together where the first leaves the second open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mainstem import config
from mainstem.errors import BadInput


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model.residual": "hyper", "model.residual.name": "rezero"},
         "model.residual.name is given twice, as 'hyper' and as 'rezero'"),
        ({"model.residual.name": "rezero", "model.residual": "hyper"},
         "model.residual.name is given twice, as 'hyper' and as 'rezero'"),
        ({"model.residual": "hyper", "model.residual.name": "hyper"}, "model.residual.name is given twice, as 'hyper'"),
        ({"model.residual": "{name: hyper, streams: 2}", "model.residual.streams": "3"},
         "model.residual.streams is given twice, as 2 and as 3"),
        ({"model.residual": "rezero | canon", "model.residual.1.name": "hyper"},
         "model.residual.1.name is given twice, as 'canon'"),
        ({"optim": "muon", "optim.name": "adamw"}, "optim.name is given twice, as 'muon' and as 'adamw'"),
        ({"optim.betas": "0.9,0.99", "optim.betas.1": "0.5"}, "optim.betas.1 is given twice, as 0.99 and as 0.5"),
        ({"optim.schedule": "wsd", "optim.schedule.name": "linear"}, "optim.schedule.name is given twice"),
        ({"loss": "r_drop", "loss.name": "cross_entropy"}, "loss.name is given twice"),
        ({"penalty": "l1", "penalty.0.name": "l2"}, "penalty.0.name is given twice, as 'l1' and as 'l2'"),
        ({"penalty.0": "l1", "penalty.0.name": "l2"}, "penalty.0.name is given twice"),
        ({"penalty": "[{name: l1, coef: 1e-5}]", "penalty.0.coef": "1"},
         "penalty.0.coef is given twice, as 1e-05 and as 1"),
        ({"noise.also": "drop_head", "noise.also.0.name": "drop_path"}, "noise.also.0.name is given twice"),
        ({"data.tokenizer": "byte", "data.tokenizer.name": "char"}, "data.tokenizer.name is given twice"),
        ({"data.paths": "[a.txt]", "data.paths.0": "b.txt"}, "data.paths.0 is given twice"),
    ],
)  # fmt: skip
def test_two_values_for_one_field_are_refused(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        config.load(given)
    assert str(caught.value).startswith(said) and str(caught.value).endswith(": keep one of them.")


def test_a_file_is_held_to_it_too(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("model.residual: hyper\nmodel.residual.name: rezero\n")
    with pytest.raises(BadInput, match=r"run\.yaml.*model\.residual\.name is given twice, as 'hyper' and as 'rezero'"):
        config.load(file=path)


def test_what_the_whole_leaves_open_a_part_may_say(tmp_path: Path) -> None:
    run = config.load(
        {
            "model.residual": "hyper | canon", "model.residual.0.streams": "2", "penalty": "l1", "penalty.0.coef": "1",
            "optim.schedule": "{name: wsd}", "optim.schedule.cooldown": "0.5", "optim.skip": None,
            "optim.skip.name": "percentile",
        }
    )  # fmt: skip
    assert run.model.residual == [{"name": "hyper", "streams": 2}, "canon"]
    assert run.penalty[0].coef == 1 and run.optim.schedule["cooldown"] == 0.5
    assert run.optim.skip["name"] == "percentile"
    # A layer above says anew what one below has said.
    path = tmp_path / "run.yaml"
    path.write_text("model.residual: {name: hyper, streams: 2}\n")
    assert config.load({"model.residual.name": "rezero"}, path).model.residual["name"] == "rezero"
    assert config.load({"model.residual.streams": "3"}, path).model.residual["streams"] == 3
