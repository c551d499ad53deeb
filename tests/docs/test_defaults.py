"""Each sentence of the guide that states a default of the program, or a list of what it has, is so in the program."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstem import catalogue, config, model, optim, penalty
from mainstem.lab import suite
from mainstem.lab.engine import MOST_SEEDS
from mainstem.train import length

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "en": sorted((ROOT / "docs" / "guide" / "en").glob("*.md")),
    "zh": sorted(path for path in (ROOT / "docs" / "guide" / "zh-TW").glob("*.md") if path.name != "configuration.md"),
}


def decayed(settings: dict[str, object]) -> dict[str, float]:
    """Return the decay of each tensor, by its role, of a model with the recipe's other fields."""
    small = {"model.layers": 1, "model.width": 16, "model.heads": 2, "model.context": 16}
    run = config.load({**small, **settings}, recipe="default")
    network = model.build(run.model, run.noise, 256, run.seed)
    made = optim.make(network, run.optim, penalty.proximal(network, run.optim.proximal))
    found: dict[str, float] = {}
    for row in optim.table(network, made):
        assert found.setdefault(row.role, row.decay) == row.decay, row
    return found


def the_activation_is_the_square_of_relu() -> None:
    for run in (config.load(), config.load(recipe="default")):
        assert run.model.feedforward == "relu2"
    assert model.Settings(vocab=2, layers=1, width=8, heads=2, context=4).feedforward == "relu2"


def norm_stands_in_the_branch() -> None:
    for run in (config.load(), config.load(recipe="default")):
        assert run.model.residual == "pre_norm"
    assert model.Settings(vocab=2, layers=1, width=8, heads=2, context=4).residual == "pre_norm"


def the_recipe_trains_for_minutes_without_dropout() -> None:
    run = config.load(recipe="default")
    assert [getattr(run.noise, site) for site in config.SITES] == [0] * len(config.SITES)
    assert not run.noise.depth and not run.noise.also
    assert run.train.budget is not None and 60 <= length.seconds(run.train.budget) < 3600


def the_norm_is_rms() -> None:
    for run in (config.load(), config.load(recipe="default")):
        assert run.model.norm == "rms"


def there_are_five_sites() -> None:
    assert config.SITES == ("embedding", "attention_weights", "attention", "hidden", "feedforward")
    rates = {site: (i + 1) / 10 for i, site in enumerate(config.SITES)}
    run = config.load({f"noise.{site}": rate for site, rate in rates.items()})
    assert {site: getattr(run.noise, site) for site in config.SITES} == rates


def every_matrix_is_decayed_and_no_gain_or_bias() -> None:
    ordinary = decayed({})
    assert {role for role, decay in ordinary.items() if decay} == {
        "attention.query", "attention.key", "attention.value", "attention.out",
        "feedforward.in", "feedforward.out", "embedding",
    }  # fmt: skip
    assert not any("head" in role for role in ordinary), "the embedding is the output's matrix as well"
    more = decayed({"model.positions": "learned", "model.embedding": "ngrams", "model.norm": "layer"})
    assert {role for role, decay in more.items() if decay} - set(ordinary) == {"position", "embedding.ngram"}
    assert {role.partition(".")[0] for role, decay in more.items() if not decay} == {"norm", "bias"}
    assert config.load(recipe="default").optim.decay == 0.1 == config.load().optim.decay


def ten_minutes_double_the_steps() -> None:
    names = catalogue.names("experiment")
    assert suite.doubled(600, 1) and not suite.doubled(599, 1)
    assert suite.doubled(3 * 3600, len(names)) and not suite.doubled(3600, len(names))
    assert MOST_SEEDS == 10


SAID = (
    ("transformer", "mainstem's default is the square of", "mainstem 的預設是", the_activation_is_the_square_of_relu),
    ("transformer", "It is mainstem's default; the other form", "這是 mainstem 的預設；", norm_stands_in_the_branch),
    ("regularization", "mainstem's default recipe, which trains for minutes, has none",
     "mainstem 的預設配方只訓練幾分鐘，因此沒有使用 Dropout", the_recipe_trains_for_minutes_without_dropout),
    ("regularized-transformer", "it is mainstem's default and one pass", "它是 mainstem 的預設，", the_norm_is_rms),
    ("regularized-transformer", "mainstem has five named sites", "mainstem 有五個有名字的位置", there_are_five_sites),
    ("regularized-transformer", "Every matrix is: those of attention and of the feed-forward layers, the embedding, "
     "which is the output's matrix as well, positions and n-grams where they are learned. Gains and biases are not",
     "凡是矩陣都衰減：注意力與前向全連接層的矩陣、嵌入（它同時也是輸出層的矩陣），以及需要學習的位置與 n-gram 向量。"
     "增益和偏置不衰減", every_matrix_is_decayed_and_no_gain_or_bias),
    ("summary", "Where each experiment has ten minutes or more, as with `--all --budget 3h`, its trainings take twice",
     "每個實驗有十分鐘以上時，例如 `--all --budget 3h`，訓練會多走一倍的步數", ten_minutes_double_the_steps),
)  # fmt: skip
"""Page, what it says in both languages, and what sees that it is so."""


@pytest.mark.parametrize(("page", "english", "chinese", "sees"), SAID, ids=[said[3].__name__ for said in SAID])
def test_what_the_guide_says_of_the_program_is_so(
    page: str, english: str, chinese: str, sees: Callable[[], None]
) -> None:
    for folder, said in (("en", english), ("zh-TW", chinese)):
        text = (ROOT / "docs" / "guide" / folder / f"{page}.md").read_text(encoding="utf-8")
        assert text.count(said) == 1, said
    sees()


@pytest.mark.parametrize("language", PAGES)
def test_no_other_sentence_of_the_guide_states_a_default(language: str) -> None:
    words = r"\bdefault|\bmainstem has\b|\bunless you\b" if language == "en" else r"(?<!transformers )預設|mainstem 有"
    known = [said[1 if language == "en" else 2] for said in SAID]
    for path in PAGES[language]:
        text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        spans = [(text.find(said), text.find(said) + len(said)) for said in known if said in text]
        for found in re.finditer(words, text):
            told = any(start <= found.start() < end for start, end in spans)
            assert told, (path.name, text[max(0, found.start() - 60) : found.end() + 60])


def test_what_the_readme_says_is_off_is_off() -> None:
    said = "Noise, penalties and averages are off until you ask for them. Weight decay is 0.1 unless you say otherwise"
    assert said in (ROOT / "README.md").read_text(encoding="utf-8")
    for run in (config.load(), config.load(recipe="default")):
        assert [getattr(run.noise, site) for site in config.SITES] == [0] * 5
        assert not (run.noise.depth or run.noise.also or run.penalty or run.optim.proximal)
        assert (run.optim.average, run.optim.swa, run.optim.decay) == (0, 0, 0.1)
    assert inspect.signature(optim.groups).parameters["decay"].default == 0.1
