"""What fields amount to that were not given."""

from pathlib import Path

import msgspec
import pytest

from mainstem import catalogue, config
from mainstem.config.presets import COMMON, SITES, reduce

PRESETS = {name: catalogue.resolve("preset", name) for name in catalogue.names("preset")}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_what_a_user_could_have_typed(preset: str) -> None:
    resolved = config.resolve(config.Run(model=config.Model(preset=preset))).model
    typed = config.resolve(config.Run(model=config.Model(**PRESETS[preset], **COMMON))).model
    assert msgspec.structs.replace(typed, preset=preset) == resolved
    gaps = {name for name in resolved.__struct_fields__ if getattr(resolved, name) is None}
    assert gaps == {
        "head_width",
        "eps",
        "rotary_base",
        "soft_cap",
        "prior",
    }  # those have no number by themselves: others decide


def test_sizes() -> None:
    found = {name: (p["layers"], p["width"], p["heads"], p["context"]) for name, p in PRESETS.items()}
    assert found == {"nano": (4, 128, 4, 64), "micro": (6, 256, 8, 256), "small": (8, 384, 6, 256)}


def test_what_is_given_stays() -> None:
    model = config.resolve(config.Run(model=config.Model(width=96, hidden=7, norm="layer"))).model
    assert (model.layers, model.width, model.hidden, model.norm, model.kv_heads) == (4, 96, 7, "layer", 4)


def test_the_rate_fills_the_sites() -> None:
    noise = config.resolve(config.Run(noise=config.Noise(rate=0.2, embedding=0.0))).noise
    assert [getattr(noise, site) for site in SITES] == [0.0, 0.2, 0.2, 0.2, 0.2]
    quiet = config.resolve(config.Run()).noise
    assert [quiet.rate, *(getattr(quiet, site) for site in SITES)] == [0.0] * 6


def test_a_field_that_a_rate_says_nothing_of_stays() -> None:
    class More(config.Noise, frozen=True, kw_only=True):
        extra: float = 0.0

    noise = config.resolve(config.Run(noise=More(rate=0.2, depth=0.3, extra=0.5))).noise
    assert isinstance(noise, More) and (noise.rate, noise.depth, noise.extra) == (0.2, 0.3, 0.5)


def test_what_follows_from_a_field_follows_again() -> None:
    run = config.load({"model.heads": 2})
    assert run.model.hidden == 512
    assert run.model.kv_heads == 2
    changed = config.override(run, {"model.width": 64, "model.heads": 4}).model
    assert (changed.hidden, changed.kv_heads, changed.layers) == (256, 4, 4)
    assert config.override(run, {"model.preset": "small"}).model.layers == 8
    assert config.override(run, {"model.preset": "small"}).model.heads == 2  # it was said, and not by the preset
    assert config.override(run, {"model.feedforward": "swiglu"}).model.hidden == 352


def test_what_a_file_says_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("model: {preset: nano, heads: 4}")
    assert config.load({"model.preset": "small"}, path).model.heads == 4


def test_reducing_changes_nothing_that_matters() -> None:
    run = config.load({"model.width": 96, "noise.rate": 0.1, "noise.hidden": 0.3})
    fewer = reduce(run)
    assert config.resolve(fewer) == run
    assert (fewer.model.width, fewer.model.layers, fewer.noise.hidden, fewer.noise.attention) == (96, None, 0.3, None)
