"""What TensorBoard's own reader finds in a run's folder; without the package a sentence says what to do."""

import json
import sys
from pathlib import Path

import pytest

from mainstem import config
from mainstem.errors import BadInput
from mainstem.train import runner, tensorboard


@pytest.fixture
def described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> config.Run:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text("the river carries what every tributary adds " * 60)
    return config.Run(
        out=str(tmp_path / "run"),
        data=config.Data(paths=[str(tmp_path / "text.txt")], tokenizer="byte"),
        model=config.Model(layers=2, width=16, heads=2, context=16),
        train=config.Train(steps=6, batch=2),
        evaluate=config.Evaluate(every=3),
        machine=config.Machine(threads=1),
        log=config.Log(quantities=2, tensorboard=True),
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_real_tensorboard_reads_the_numbers_of_metrics_jsonl(described: config.Run) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    folder = runner.run(described).path
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    found = accumulator.EventAccumulator(str(folder / tensorboard.FOLDER), {"scalars": 0})
    found.Reload()

    def read(tag: str) -> dict[int, float]:
        return {event.step: event.value for event in found.Scalars(tag)}

    assert read("loss") == pytest.approx({line["step"]: line["loss"] for line in lines})
    assert list(read("held_out/nats_per_token")) == [3, 6]
    assert read("update_ratio") == pytest.approx({line["step"]: line["update_ratio"] for line in lines[1::2]})
    assert read("gradient_slope") == pytest.approx({line["step"]: line["gradient_slope"] for line in lines[1::2]})
    assert read("gradient/0") == pytest.approx({line["step"]: line["gradient"][0] for line in lines[1::2]})


def test_without_the_package_nothing_begins(described: config.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(BadInput, match=r"pip install 'mainstem\[tensorboard\]'"):
        runner.run(described)
    assert not Path(described.out).exists()
