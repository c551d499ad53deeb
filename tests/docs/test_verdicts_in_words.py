"""What the guide says in words of a published result is so in docs/results/lab, number by number."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


class Published:
    """The published results of one experiment."""

    def __init__(self, name: str) -> None:
        self.content: dict[str, Any] = json.loads((DOCS / "results" / "lab" / f"{name}.json").read_text("utf-8"))
        self.contrasts: list[dict[str, Any]] = self.content["contrasts"]

    def mean(self, cell: str, value: str) -> float:
        """The mean over seeds of a number of a cell."""
        return statistics.fmean(trial[value] for trial in self.content["trials"][cell].values())

    def floor(self, cell: str) -> float:
        """The loss on held-out text of the frequencies of single bytes in the training text."""
        (found,) = (each["setting"]["floor_held_out"] for each in self.content["cells"] if each["name"] == cell)
        return float(found)

    def verdicts(self) -> list[str]:
        return [contrast["verdict"] for contrast in self.contrasts]


def the_sum_alone_lets_gradients_explode() -> None:
    found = Published("exploding")
    growth = {cell: 10 ** found.mean(cell, "growth") for cell in found.content["trials"]}
    assert growth["no residual, 1x"] < 1
    assert all(200 < growth[f"residual, {norm}, 1x"] < 1000 for norm in ("no norm", "pre-norm"))
    assert 5e7 < growth["residual, no norm, 1.5x"] < 1e8
    assert 100 < growth["residual, no norm, 1.5x"] / growth["no residual, 1.5x"] < 1000
    assert 500 < growth["residual, pre-norm, 1.5x"] < 2000


def deep_networks_know_frequencies_at_most() -> None:
    found = Published("depth")
    share = {cell: found.mean(cell, "held_out") / found.floor(cell) for cell in found.content["trials"]}
    assert all(share[f"{arm}, 16 blocks"] > 0.99 for arm in ("no residual", "no residual, normed"))
    assert all(share[f"residual, pre-norm, {blocks} blocks"] < 0.7 for blocks in (2, 6, 16))
    assert found.content["facts"]["steps"] == 600
    assert found.verdicts() == ["supported", "supported", "undecided"]


def depth_costs_less_than_a_tenth() -> None:
    third = Published("depth").contrasts[2]
    assert f"{third['mean']:.3f}" == "0.068" and third["n"] == 5
    assert -0.05 < third["low"] < 0 and f"{third['high']:.2f}" == "0.15"


def the_row_has_the_means_of_residuals() -> None:
    _row("residual, pre-norm", "2.158 | 2.168 | 2.226")


def the_row_has_the_means_of_norms() -> None:
    _row("no residual, normed", "2.427 | 3.161 | 3.289")


def the_row_has_the_means_of_neither() -> None:
    _row("no residual", "2.826 | 3.067 | 3.281")


def _row(arm: str, said: str) -> None:
    found = Published("depth")
    assert " | ".join(f"{found.mean(f'{arm}, {blocks} blocks', 'held_out'):.3f}" for blocks in (2, 6, 16)) == said


def half_the_steps_in_two_blocks() -> None:
    found = Published("efficiency")
    four, _, two, _ = found.contrasts
    assert (four["verdict"], two["verdict"]) == ("undecided", "supported")
    assert 0.45 < 2 ** two["mean"] < 0.6
    cell = "residual, pre-norm, 4 blocks"
    assert abs(found.mean(cell, "target") / found.floor(cell) - 1) < 0.02


def one_block_alone_is_needed() -> None:
    found = Published("depth-used")
    assert found.verdicts()[:2] == ["no effect", "supported"]
    costs = {}
    for norm in ("pre", "post"):
        trials = found.content["trials"][f"residual, {norm}-norm"].values()
        costs[norm] = [statistics.fmean(block) for block in zip(*(trial["cost"] for trial in trials), strict=True)]
    assert costs["pre"][0] > 0.5 and max(costs["pre"][1:]) < 0.02
    assert 0.02 < costs["post"][-1] < 0.2 and max(costs["post"][:-1]) < 0.02


def strength_decides_about_zeros() -> None:
    found = Published("l1")
    weak, usual, strong = (f"proximal step{coef}" for coef in (", coef 1e-05", "", ", coef 0.001"))
    assert 0.3 < found.mean(weak, "zeros") < 0.36
    assert 0.78 < found.mean(usual, "zeros") < 0.83 and 0.985 < found.mean(strong, "zeros") < 0.995
    said = {contrast["says"]: contrast for contrast in found.contrasts}
    cost = said["The zeros of the proximal step cost held-out loss."]
    assert cost["verdict"] == "refuted" and f"{cost['mean']:.2f}" == "-0.32"
    assert 0.28 < (found.mean("no L1", "held_out") - found.mean(weak, "held_out")) / -cost["mean"] < 0.39
    stronger = said["Ten times that coef costs held-out loss against no L1 at all (proximal step)."]
    assert stronger["verdict"] == "supported"
    for value in ("train", "held_out"):
        assert found.mean(strong, value) > found.mean("no L1", value) + 0.2


def both_kinds_of_l2_lower_the_loss() -> None:
    assert Published("l2").verdicts()[:2] == ["supported", "supported"]


def the_control_of_l2_narrows_the_gap() -> None:
    *_, decay, control = Published("l2").contrasts
    assert (decay["verdict"], control["verdict"]) == ("supported", "supported")
    assert f"{control['mean']:.2f}" == "-0.21" and 0.2 < control["mean"] / decay["mean"] < 0.3


def layer_normalization_lowers_the_loss_and_not_the_gap() -> None:
    found = Published("layernorm")
    gap, train, held = found.contrasts
    assert [each["verdict"] for each in (gap, train, held)] == ["no effect", "undecided", "supported"]
    assert (gap["delta"], gap["n"]) == (0.1, 5)
    assert (f"{train['mean']:.3f}", f"{held['mean']:.3f}") == ("-0.041", "-0.063")
    rates = [trial["rate"] for seeds in found.content["trials"].values() for trial in seeds.values()]
    assert sorted(rates) == [0.003] + [0.01] * 9


def two_of_three_places_help() -> None:
    branches, weights, embedding, _ = Published("sites").verdicts()
    assert (branches, weights, embedding) == ("undecided", "supported", "supported")


def without_residuals_there_is_nothing_to_regularize() -> None:
    found = Published("both")
    assert found.contrasts[0]["verdict"] == "supported"
    assert found.mean("plain, nothing", "gap") < 0.2 < 1 < found.mean("pre-norm, nothing", "gap")
    assert found.mean("plain, dropout", "held_out") > found.mean("plain, nothing", "held_out")


def residuals_learn_more_than_norms_alone() -> None:
    found = Published("vanishing")
    learning = found.contrasts[3]
    assert learning["verdict"] == "supported" and found.content["facts"]["steps"] == 600
    assert f"{learning['mean']:.2f}" == "-0.99" and learning["n"] == 8


def post_norm_knows_frequencies() -> None:
    found = Published("vanishing")
    for arm in ("residual, post-norm", "no residual, normed"):
        assert found.mean(f"{arm}, 24 blocks", "loss") > 0.99 * found.floor(f"{arm}, 24 blocks")


SAID = (
    ("residual", "24 blocks with residuals in pre-norm end 0.99 nats per byte lower after the same 600 steps",
     "同樣走 600 步，24 個區塊用 pre-norm 的殘差連接，每位元組的損失比沒有殘差連接時低 0.99 nat",
     residuals_learn_more_than_norms_alone),
    ("residual", "In post-norm, at the same learning rate, they know no more by then than how frequent each byte is, "
     "as without residuals",
     "換成 post-norm，用同樣的學習率，走完這些步也只學到每個位元組有多常出現，跟沒有殘差連接一樣",
     post_norm_knows_frequencies),
    ("residual", "they grow a few hundredfold in 12 blocks, whether there are norms in the branches or not. With "
     "matrices 1.5 times as large, the sum alone lets them grow by nearly eight orders of magnitude, two more than "
     "without it, and with norms in the branches they grow about a thousandfold",
     "不論分支裡有沒有正規化，梯度在 12 個區塊裡都變大數百倍。矩陣是這個大小的 1.5 倍時，"
     "光靠這個加法，梯度會變大將近 8 個數量級，比沒有這個加法還多 2 個；分支裡有正規化，就只變大一千倍左右",
     the_sum_alone_lets_gradients_explode),
    ("residual", "16 blocks know no more after 600 steps than how frequent each byte is, with norms or without. With "
     "residuals all three networks know much more",
     "都只學到每個位元組有多常出現。有殘差連接時，三種深度的網路學到的都多得多",
     deep_networks_know_frequencies_at_most),
    ("residual", "costs less than a tenth of a nat per byte", "代價不到每位元組 0.1 nat",
     depth_costs_less_than_a_tenth),
    ("residual", "16 blocks are behind 2 by 0.068 in the mean, and the interval reaches from a little ahead to 0.15 "
     "behind", "16 個區塊平均比 2 個區塊落後 0.068；區間從略為領先到落後 0.15", depth_costs_less_than_a_tenth),
    ("residual", "| residuals, pre-norm | 2.158 | 2.168 | 2.226 |", "| 有殘差，pre-norm | 2.158 | 2.168 | 2.226 |",
     the_row_has_the_means_of_residuals),
    ("residual", "| norms, no residuals | 2.427 | 3.161 | 3.289 |", "| 有正規化，沒有殘差 | 2.427 | 3.161 | 3.289 |",
     the_row_has_the_means_of_norms),
    ("residual", "| neither | 2.826 | 3.067 | 3.281 |", "| 兩者都沒有 | 2.826 | 3.067 | 3.281 |",
     the_row_has_the_means_of_neither),
    ("transformer", "the one with residuals takes about half the steps. With 4 blocks the one without residuals ends "
     "near the loss of single bytes", "有殘差連接的只用大約一半的步數", half_the_steps_in_two_blocks),
    ("transformer", "In pre-norm the first block alone is needed here: each of the others can go at hardly any cost. "
     "In post-norm it is the last one, and even that costs little",
     "pre-norm 只有第一個區塊少不得：其他的拿掉任何一個，都幾乎沒有代價；post-norm 則是最後一個，而且代價也不大",
     one_block_alone_is_needed),
    ("regularization", "four of five weights are exactly zero, and the held-out loss is lower by 0.32 nats per byte",
     "五個權重有四個恰好是零，保留資料的損失反而低了每位元組 0.32 nat", strength_decides_about_zeros),
    ("regularization", "A tenth of that strength leaves a third of the weights zero and has a third of the gain. With "
     "ten times as much 99 of 100 weights are zero, and the loss is clearly higher than without L1",
     "強度只有十分之一時，三分之一的權重是零，降低的損失也只有三分之一。強度是十倍時，一百個權重有九十九個是零，"
     "訓練資料與保留資料的損失都比沒有 L1 明顯高出許多", strength_decides_about_zeros),
    ("regularization", "both lower the loss on other text", "兩者都降低了在其他文字上的損失",
     both_kinds_of_l2_lower_the_loss),
    ("regularization", "narrows the gap all the same, by 0.21 nats per byte, about a quarter of what a decay of 3 of "
     "all matrices does", "泛化差距仍然縮小每位元組 0.21 nat，大約是所有矩陣衰減 3 時的四分之一",
     the_control_of_l2_narrows_the_gap),
    ("regularized-transformer", "the held-out loss is lower with it by 0.063 nats per byte, and the gap is the same to "
     "within 0.1", "保留資料的損失低了每位元組 0.063 nat，泛化差距則相差不到 0.1",
     layer_normalization_lowers_the_loss_and_not_the_gap),
    ("regularized-transformer", "Its loss on the training text is lower in the mean as well, by 0.041, though five "
     "seeds do not settle that", "它在訓練文字上的損失平均也低了 0.041，不過五個種子還不足以判定",
     layer_normalization_lowers_the_loss_and_not_the_gap),
    ("regularized-transformer", "the largest of the three learning rates was the best one for nearly every seed",
     "幾乎每個種子都是三個學習率中最大的那一個最好", layer_normalization_lowers_the_loss_and_not_the_gap),
    ("regularized-transformer", "at the outputs of the branches the effect is too small to tell",
     "用在分支的輸出，效果小到看不出來", two_of_three_places_help),
    ("regularized-transformer", "Without residuals the network hardly fits its own text, the gap is small",
     "網路連自己的訓練文字都學不太起來，泛化差距很小", without_residuals_there_is_nothing_to_regularize),
)  # fmt: skip
"""Page, what it says in both languages, and what sees that it is so."""


@pytest.mark.parametrize(("page", "english", "chinese", "sees"), SAID, ids=[f"{s[0]}-{s[1][:24]}" for s in SAID])
def test_what_the_guide_says_of_a_result_is_so(page: str, english: str, chinese: str, sees: Callable[[], None]) -> None:
    for folder, said in (("en", english), ("zh-TW", chinese)):
        text = (DOCS / "guide" / folder / f"{page}.md").read_text(encoding="utf-8")
        assert text.count(said) == 1, said
    sees()
