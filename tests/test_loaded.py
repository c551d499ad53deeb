import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import mainstem
from mainstem import config, train
from mainstem.cli.main import main
from mainstem.errors import BadInput
from mainstem.runs import weights
from mainstem.train import samples
from mainstem.train.console import Plain


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("load")
    (root / "corpus.txt").write_text("the river and the sea " * 60)
    flags = {
        "data": {"paths": [str(root / "corpus.txt")], "tokenizer": "char"}, "out": str(root / "run"),
        "model": {"layers": 1, "width": 16, "heads": 2, "context": 8}, "noise": {"hidden": 0.5},
        "train": {"steps": 4, "batch": 4}, "evaluate": {"every": 2}, "machine": {"threads": 1},
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        patch.setattr(samples, "_LENGTH", 3)
        train.run(config.load(flags), console=Plain(None))
    return root / "run"


def test_a_loaded_run_is_the_best_model_ready_to_use(trained: Path) -> None:
    loaded = mainstem.load(trained)
    assert not loaded.model.training
    stored = weights.read(trained / "model.safetensors")
    assert all(torch.equal(tensor, stored[name]) for name, tensor in weights.take(loaded.model).items())
    tokens = torch.tensor([loaded.tokenizer.encode("the sea")])
    assert torch.equal(loaded.model(tokens), loaded.model(tokens))  # no dropout
    assert loaded.tokenizer.decode(tokens[0].tolist()) == "the sea"
    assert loaded.run.model.width == 16
    assert loaded.facts["outcome"]["reason"] == "steps"
    last = mainstem.load(trained, last=True)
    stored = weights.read(trained / "last" / "model.safetensors")
    assert all(torch.equal(tensor, stored[name]) for name, tensor in weights.take(last.model).items())


def test_reading_and_watching_a_trained_model_loads_no_compiler(trained: Path) -> None:
    """That takes 1.3 to 1.6 s, at the start of each `sample`, `evaluate` and `probe`."""
    code = f"""
import sys, torch, mainstem
from mainstem import measure
model = mainstem.load({str(trained)!r}).model
assert "torch._dynamo" not in sys.modules, "Reading a model has imported torch's compiler."
with measure.watch(model):
    model(torch.zeros(1, 4, dtype=torch.int64))
assert "torch._dynamo" not in sys.modules, "A watch has: torch hides the mode `Ops` from it after all."
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def _set(run: Path, **values: object) -> None:
    said = json.loads((run / "config.json").read_text())
    said["model"].update(values)
    (run / "config.json").write_text(json.dumps(said))


@pytest.mark.parametrize(
    ("values", "said"),
    [({"width": 1 << 14}, "another model's weights"), ({"layers": 1 << 40}, "too few"), ({"layers": "x"}, "too few"),
     ({"vocab": 1 << 28}, "another model's weights"), ({"width": "wide"}, "describes no model"),
     ({"context": 1 << 34}, "bytes of tables"), ({"heads": 3}, "does not divide"), ({"surprise": 1}, "unknown name")],
)  # fmt: skip
def test_a_configuration_that_does_not_fit_its_weights_allocates_nothing(
    trained: Path, tmp_path: Path, values: dict[str, object], said: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    _set(run, **values)
    with pytest.raises(BadInput, match=said):
        mainstem.load(run)


@pytest.mark.parametrize("name", ["config.yaml", "config.json", "model.safetensors", "vocabulary.json"])
@pytest.mark.parametrize("damage", ["delete", "empty", "cut"])
def test_a_damaged_file_is_a_sentence(trained: Path, tmp_path: Path, name: str, damage: str) -> None:
    if (name, damage) == ("config.yaml", "cut"):
        pytest.skip("part of a configuration is a configuration; what the model is stands in config.json")
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    path = run / name
    data = path.read_bytes()
    path.unlink() if damage == "delete" else path.write_bytes(b"" if damage == "empty" else data[: len(data) // 2])
    with pytest.raises(BadInput, match=r"\.json|\.yaml|\.safetensors|no model"):
        mainstem.load(run)


@pytest.mark.parametrize("line", ["", "version: 1\n", "version: 3\n"])
def test_a_run_of_another_version_is_one_sentence(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    path = run / "config.yaml"
    path.write_text(path.read_text().replace("version: 2\n", line))
    said = r"config\.yaml.* has version [13], and this mainstem reads version 2: use the mainstem that wrote it"
    with pytest.raises(BadInput, match=said):
        mainstem.load(run)
    for words in (["train", "--resume", str(run)], ["sample", str(run)]):
        assert main(words) == 2
        assert re.search(said, capsys.readouterr().err)
    now = config.override(config.parse((trained / "config.yaml").read_bytes()), {"out": str(run)})
    with pytest.raises(BadInput, match=said):
        train.run(now)


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no run at"):
        mainstem.load(tmp_path / "none")
    with pytest.raises(BadInput, match=r"config\.yaml"):
        mainstem.load(tmp_path)
