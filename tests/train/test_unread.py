"""A field that somebody gives holds in the model or in its training, or is refused by name before text is read."""

from pathlib import Path
from typing import Any

import pytest

from mainstem import catalogue, config, data
from mainstem.cli.main import main
from mainstem.errors import BadInput
from mainstem.train import unread
from mainstem.train.refuse import skeleton

SMALL = {"model.layers": 1, "model.width": 8, "model.heads": 1, "model.context": 8}
BACK = {"model.residual": "reversible", "machine.recompute": "blocks", "log.quantities": 0}
NONE = {"model.residual": "rezero", "model.qk_norm": "none"}

UNREAD = [
    (NONE | {"model.norm": "layer"}, "model.norm", "with rezero, which has no such norm: leave it out."),
    (NONE | {"model.eps": 0.5}, "model.eps", "0.5 means nothing with rezero, which has no such norm"),
    (BACK, "machine.recompute", "blocks means nothing with reversible, which computes its activations back"),
    (BACK | {"model.residual": "midpoint"}, "machine.recompute", "with midpoint, which computes"),
    ({"train.init_from": "runs/x", "model.init": "zero"}, "model.init", "zero means nothing beside train.init_from"),
]  # fmt: skip

READ = [
    ({"model.residual": "rezero", "model.eps": 0.5}, "model.eps"), ({"model.norm": "layer"}, "model.norm"),
    (BACK | {"log.quantities": 50}, "machine.recompute"),
    (BACK | {"machine.compile": "aot_eager"}, "machine.recompute"),
    (BACK | {"model.residual": "pre_norm"}, "machine.recompute"), ({"model.init": "zero"}, "model.init"),
    (BACK | {"machine.recompute": "none"}, "machine.recompute"), ({"model.qk_norm": "none"}, "model.qk_norm"),
]  # fmt: skip


@pytest.mark.parametrize(("flags", "name", "said"), UNREAD)
def test_what_nothing_reads_is_refused(flags: dict[str, Any], name: str, said: str) -> None:
    run = config.load({**SMALL, **flags})
    with pytest.raises(BadInput) as caught:
        unread.check([run], ["seed", name])
    assert str(caught.value).startswith(f"{name} ") and said in str(caught.value)
    unread.check([run], ["seed"])  # a recipe has given it
    unread.check([run, config.load(SMALL)], [name])  # one of several reads it


@pytest.mark.parametrize(("flags", "name"), READ)
def test_what_is_read_is_let_through(flags: dict[str, Any], name: str) -> None:
    unread.check([config.load({**SMALL, **flags})], [name])


@pytest.mark.parametrize("name", catalogue.names("residual"))
def test_the_norm_of_every_form_is_read_or_refused(name: str) -> None:
    run = config.load({**SMALL, "model.residual": name, "model.norm": "layer", "model.qk_norm": "none"})
    try:
        unread.check([run], ["model.norm"])
        refused = False
    except BadInput:
        refused = True
    assert refused == ("LayerNorm" not in repr(skeleton(config.resolve(run))))


def test_commands_refuse_it_before_text_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(*_: Any, **__: Any) -> None:
        raise AssertionError("text was read")

    monkeypatch.setattr(data, "prepare", read)
    monkeypatch.chdir(tmp_path)
    for side, rate in (("a", 0.1), ("b", 0.2)):
        Path(f"{side}.yaml").write_text(f"train: {{steps: 3}}\nnoise: {{rate: {rate}}}\n")
    given = ["--model.residual", "rezero", "--model.qk-norm", "none", "--model.norm", "layer"]
    for words in (
        ["train", "x.txt"],
        ["train", "x.txt", "--plan"],
        ["compare", "a.yaml", "b.yaml"],
        ["lab", "dropout"],
    ):
        assert main([*words, *given]) == 2
        assert "model.norm layer means nothing with rezero" in capsys.readouterr().err
