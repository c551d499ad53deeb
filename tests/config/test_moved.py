"""What was stored before names had their values behind them is read as what it says."""

from typing import Any

import pytest

from mainstem import config
from mainstem.errors import BadInput
from mainstem.model import LanguageModel, Settings

OLD: dict[str, Any] = {
    "version": 2,
    "data": {"tokenizer": "char", "vocabulary": "auto"},
    "model": {"preset": "nano", "ngrams": 5, "ngram_rows": 8192},
    "loss": {"label_smoothing": 0.1, "z_loss": 0.0},
    "optim": {
        "name": "muon", "lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-8, "muon_lr": 0.03, "momentum": 0.85, "decay": 0.2,
        "around": None, "rho": None, "schedule": "linear", "warmup": 0.05, "cooldown": 0.3, "floor": 0.1,
    },
}  # fmt: skip
NOW = {
    "data.tokenizer": "char", "model.embedding": {"name": "ngrams", "order": 5, "rows": 8192},
    "loss.label_smoothing": 0.1, "optim.name": "muon", "optim.lr": 0.02, "optim.betas": [0.8, 0.95],
    "optim.muon_lr": 0.03, "optim.momentum": 0.85, "optim.decay": 0.2,
    "optim.schedule": {"name": "linear", "floor": 0.1}, "optim.warmup": 0.05,
}  # fmt: skip


def written(tree: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(tree, sort_keys=False)


def test_a_stored_run_is_what_it_was() -> None:
    assert config.resolve(config.parse(written(OLD), stored=True)) == config.load(NOW)


@pytest.mark.parametrize(
    ("optim", "now"),
    [
        ({"name": "adamw", "muon_lr": 0.028, "momentum": 0.9}, {}),
        ({"around": "sam", "rho": 0.1}, {"optim.around": {"name": "sam", "rho": 0.1}}),
        ({"around": "asam", "rho": None}, {"optim.around": "asam"}),
        ({"schedule": "wsd", "cooldown": 0.5, "floor": 0.0}, {"optim.schedule": {"name": "wsd", "cooldown": 0.5}}),
        ({"schedule": "constant", "cooldown": 0.3, "floor": 0.0}, {"optim.schedule": "constant"}),
    ],
)
def test_fields_that_its_names_do_not_read_are_left_out(optim: dict[str, Any], now: dict[str, Any]) -> None:
    text = written({"version": 2, "optim": optim})
    assert config.resolve(config.parse(text, stored=True)) == config.load(now)


def test_what_is_written_by_hand_is_answered_with_the_name_of_now() -> None:
    with pytest.raises(BadInput, match=r"optim\.floor is now optim\.schedule\.floor"):
        config.parse("optim: {floor: 0.1}")


def test_a_model_of_before_is_built() -> None:
    settings = Settings(vocab=5, layers=1, width=8, heads=2, context=4, embedding={"name": "ngrams", "order": 2})
    stored = settings.to_json()
    del stored["embedding"]
    old = Settings.from_json({**stored, "ngrams": 2, "ngram_rows": 16384})
    assert old.to_json() == settings.to_json()
    assert LanguageModel(old).state_dict().keys() == LanguageModel(settings).state_dict().keys()
    assert Settings.from_json({**stored, "ngrams": 1, "ngram_rows": 16384}).embedding == "token"
