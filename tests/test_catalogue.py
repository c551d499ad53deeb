"""Every name stands for something, and is what a configuration may say."""

import pathlib

import pytest

from mainstem import catalogue, config, optim
from mainstem.cli.main import main
from mainstem.errors import BadInput
from mainstem.form import Form
from mainstem.model import LanguageModel, Settings
from mainstem.optim.schedule import factor

FIELDS = {
    "norm": "model.norm", "feedforward": "model.feedforward", "optimizer": "optim.name", "decay": "optim.decay_kind",
    "around": "optim.around", "schedule": "optim.schedule", "course": "optim.decay_course",
    "tokenizer": "data.tokenizer", "init": "model.init", "preset": "model.preset", "penalty": "penalty.N.name",
    "embedding": "model.embedding", "loss": "loss.name",
}  # fmt: skip


@pytest.mark.parametrize("spec", catalogue.SPECS, ids=lambda spec: f"{spec.kind}-{spec.name}")
def test_every_target_is_there(spec: catalogue.Spec) -> None:
    found = catalogue.resolve(spec.kind, spec.name)
    assert found is not None
    if isinstance(found, pathlib.Path):
        assert found.is_file()


@pytest.mark.parametrize("kind", FIELDS)
def test_the_names_are_those_that_the_field_allows(kind: str) -> None:
    field = next(field for field in config.fields(config.Run) if field.name == FIELDS[kind])
    assert list(field.choices) == catalogue.names(kind)


def test_a_line_of_the_catalogue_is_all_that_a_variant_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    more = (
        catalogue.Spec("norm", "mine", "nn.norm:LayerNorm", "another norm"),
        catalogue.Spec("schedule", "mine", "optim.constant:Constant", "another schedule"),
        catalogue.Spec("init", "mine", "model.rules:zero", "other initial weights"),
        catalogue.Spec("optimizer", "mine", "optim.adamw_spec:AdamWSpec", "another optimizer"),
        catalogue.Spec("preset", "mine", "config.presets:MICRO", "another size"),
    )
    monkeypatch.setattr(catalogue, "SPECS", (*catalogue.SPECS, *more))
    sizes = {"vocab": 5, "layers": 1, "width": 8, "heads": 2, "context": 4}
    made = LanguageModel(Settings(**sizes, norm="mine", init="mine"))
    assert made.state_dict()["stream.norm.bias"].shape == (8,)
    assert not made.state_dict()["blocks.0.attention.branch.attention.output.weight"].any()
    optimizer = optim.make(made, config.Optim(name="mine", values={"lr": 0.3, "betas": (0.7, 0.8)}))
    assert optimizer.methods == {"adamw": optim.Adam(0.3, (0.7, 0.8), 1e-8)}
    assert factor(50, 100, config.Optim(schedule="mine")) == 1.0
    assert config.resolve(config.Run(model=config.Model(preset="mine"))).model.width == 256


def test_residuals_are_forms_with_a_name_each() -> None:
    found = [catalogue.resolve("residual", name) for name in catalogue.names("residual")]
    assert len(set(found)) == len(found)
    assert all(issubclass(form, Form) for form in found)


def test_every_recipe_of_the_package_is_listed() -> None:
    folder = pathlib.Path(catalogue.__file__).parent / "recipes"
    assert sorted(path.stem for path in folder.glob("*.yaml")) == sorted(catalogue.names("recipe"))


def test_every_name_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    kind = ""
    found = set()
    for line in lines:
        if line and not line.startswith(" "):
            kind = line.split()[0]
        elif line.startswith("  ") and line[2] != " ":
            found.add((kind, line.split()[0]))
    assert found == {(spec.kind, spec.name) for spec in catalogue.SPECS}


def test_names_are_unique_and_summaries_are_lines() -> None:
    keys = [(spec.kind, spec.name) for spec in catalogue.SPECS]
    assert len(set(keys)) == len(keys)
    assert all(spec.summary and len(spec.summary) <= 60 for spec in catalogue.SPECS)


def test_an_unknown_name_has_a_neighbour_or_the_whole_list() -> None:
    with pytest.raises(BadInput, match="There is no residual 'deep_norm': did you mean deepnorm"):
        catalogue.resolve("residual", "deep_norm")
    with pytest.raises(BadInput, match="choose one of rms, layer"):
        catalogue.resolve("norm", 7)


@pytest.mark.parametrize("name", [*catalogue.names("norm"), "none"])
def test_queries_and_keys_may_have_every_norm(name: str) -> None:
    run = config.load({"model.qk_norm": name})
    made = LanguageModel(Settings(5, layers=1, width=8, heads=2, context=4, qk_norm=run.model.qk_norm))
    attention = made.get_submodule("blocks.0.attention.branch.attention")
    kind = type(None) if name == "none" else catalogue.resolve("norm", name)
    assert type(attention.query_norm) is type(attention.key_norm) is kind
