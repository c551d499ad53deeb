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
    assert all(share[f"{arm}, 16 blocks"] > 0.98 for arm in ("no residual", "no residual, normed"))
    two, six, sixteen = (share[f"residual, pre-norm, {blocks} blocks"] for blocks in (2, 6, 16))
    assert sixteen < six < two < 0.6
    assert found.content["facts"]["steps"] == 2000


def depth_pays_with_residuals() -> None:
    found = Published("depth")
    assert found.verdicts() == ["supported", "supported", "supported"]
    third = found.contrasts[2]
    assert f"{third['mean']:.3f}" == "-0.137" and third["n"] == 5
    for arm in ("no residual", "no residual, normed"):
        two, six, sixteen = (found.mean(f"{arm}, {blocks} blocks", "held_out") for blocks in (2, 6, 16))
        assert two < six < sixteen


def the_row_has_the_means_of_residuals() -> None:
    _row("residual, pre-norm", "1.800 | 1.701 | 1.663")


def the_row_has_the_means_of_norms() -> None:
    _row("no residual, normed", "1.906 | 3.229 | 3.289")


def the_row_has_the_means_of_neither() -> None:
    _row("no residual", "2.348 | 2.520 | 3.262")


def _row(arm: str, said: str) -> None:
    found = Published("depth")
    assert " | ".join(f"{found.mean(f'{arm}, {blocks} blocks', 'held_out'):.3f}" for blocks in (2, 6, 16)) == said


def half_the_steps_in_two_blocks() -> None:
    found = Published("efficiency")
    four, _, two, _ = found.contrasts
    assert (four["verdict"], two["verdict"]) == ("undecided: nothing learned yet", "supported")
    assert 0.45 < 2 ** two["mean"] < 0.6
    cell = "residual, pre-norm, 4 blocks"
    assert abs(found.mean(cell, "target") / found.floor(cell) - 1) < 0.02
    ends = [trial["target"] / found.floor(cell) for trial in found.content["trials"][cell].values()]
    assert sum(end > 0.98 for end in ends) == 4 and len(ends) == 6


def every_block_is_needed() -> None:
    found = Published("depth-used")
    assert found.verdicts()[:2] == ["supported", "supported"] and found.content["facts"]["steps"] == 2000
    trials = found.content["trials"]["residual, pre-norm"].values()
    first, *others = (statistics.fmean(block) for block in zip(*(trial["cost"] for trial in trials), strict=True))
    assert first > 3 and (f"{min(others):.2f}", f"{max(others):.2f}") == ("0.15", "0.19")
    cell = "residual, post-norm"
    assert found.mean(cell, "held_out") > 0.99 * found.floor(cell)


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
    assert (f"{train['mean']:.3f}", f"{held['mean']:.3f}") == ("-0.040", "-0.057")
    rates = [trial["rate"] for seeds in found.content["trials"].values() for trial in seeds.values()]
    assert sorted(rates) == [0.003] + [0.01] * 8 + [0.03]


def layer_normalization_bears_a_larger_rate() -> None:
    found = Published("layernorm")
    ends = {arm: [trial["held_outs"][-1] for trial in seeds.values()] for arm, seeds in found.content["trials"].items()}
    assert max(ends["layer norm"]) < 0.8 * found.floor("layer norm")
    assert sum(loss > 5.5 for loss in ends["no norm"]) == 4 and len(ends["no norm"]) == 5


def all_three_places_help() -> None:
    found = Published("sites")
    branches, weights, embedding, _ = found.contrasts
    assert found.verdicts() == ["supported", "supported", "supported", "no effect"]
    assert [f"{each['mean']:.2f}" for each in (branches, weights, embedding)] == ["-0.14", "-0.14", "-0.08"]


def one_place_has_most_of_it() -> None:
    found = Published("sites")
    none, one, three = (found.mean(cell, "held_out") for cell in ("none", "weights", "branches + weights + embedding"))
    assert [f"{loss:.2f}" for loss in (none, one, three)] == ["2.02", "1.67", "1.61"]
    two = [
        found.mean(cell, "held_out") for cell in ("weights + embedding", "branches + embedding", "branches + weights")
    ]
    assert all(loss - three < 0.02 for loss in two)
    assert all(
        none - found.mean(cell, "held_out") > (none - three) / 2 for cell in ("branches", "weights", "embedding")
    )


def residuals_give_a_regularizer_something_to_do() -> None:
    found = Published("both")
    more, _, decay, _, together = found.contrasts
    assert {each["verdict"] for each in (more, decay, together)} == {"supported"} and together["n"] == 5
    lower = [found.mean(f"{form}, {regularizer}", "held_out") - found.mean(f"{form}, nothing", "held_out")
             for regularizer in ("dropout", "decay") for form in ("pre-norm", "plain")]  # fmt: skip
    assert [f"{each:+.2f}" for each in lower] == ["-0.38", "+0.08", "-0.46", "-0.26"]
    assert f"{together['mean']:.2f}" == "-0.33"
    assert found.mean("plain, dropout", "train") > found.mean("plain, nothing", "train") + 1


def residuals_alone_are_worse() -> None:
    found = Published("both")
    assert [f"{found.mean(f'{form}, nothing', 'gap'):.1f}" for form in ("pre-norm", "plain")] == ["1.4", "1.2"]
    bare = found.contrasts[3]
    assert bare["verdict"] == "refuted" and f"{bare['mean']:.2f}" == "0.12"


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
    ("residual", "16 blocks know hardly more after 2,000 steps than how frequent each byte is, with norms or without. "
     "With residuals all three networks know much more, and the deepest the most",
     "幾乎都只學到每個位元組有多常出現。有殘差連接時，三種深度的網路學到的都多得多，而且越深學到越多",
     deep_networks_know_frequencies_at_most),
    ("residual", "After 1 MB of text 16 blocks are ahead of 2 by 0.137 nats per byte",
     "讀了 1 MB 的文字之後，16 個區塊比 2 個區塊領先每位元組 0.137 nat", depth_pays_with_residuals),
    ("residual", "In both rows without residuals the loss is the higher the more blocks there are",
     "沒有殘差連接的那兩列，則是區塊越多，損失越高", depth_pays_with_residuals),
    ("residual", "| residuals, pre-norm | 1.800 | 1.701 | 1.663 |", "| 有殘差，pre-norm | 1.800 | 1.701 | 1.663 |",
     the_row_has_the_means_of_residuals),
    ("residual", "| norms, no residuals | 1.906 | 3.229 | 3.289 |", "| 有正規化，沒有殘差 | 1.906 | 3.229 | 3.289 |",
     the_row_has_the_means_of_norms),
    ("residual", "| neither | 2.348 | 2.520 | 3.262 |", "| 兩者都沒有 | 2.348 | 2.520 | 3.262 |",
     the_row_has_the_means_of_neither),
    ("transformer", "the one with residuals takes about half the steps. With 4 blocks the one without residuals ends "
     "near the loss of single bytes, with four of six seeds at it",
     "最後的損失與單看位元組頻率差不多，六個種子中有四個就停在那裡", half_the_steps_in_two_blocks),
    ("transformer", "After 2,000 steps every block is needed in pre-norm: without the first the loss rises by more "
     "than 3 nats per byte, without any other by 0.15 to 0.19. In post-norm, at the same learning rate, the network "
     "knows no more by then than how frequent each byte is",
     "走 2,000 步之後，pre-norm 的每個區塊都少不得：拿掉第一個，損失會高出每位元組 3 nat 以上，拿掉其他任何一個，"
     "會高出 0.15 到 0.19。換成 post-norm，用同樣的學習率，網路走完這些步也只學到每個位元組有多常出現",
     every_block_is_needed),
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
    ("regularized-transformer", "the held-out loss is lower with it by 0.057 nats per byte, and the gap is the same to "
     "within 0.1", "保留資料的損失低了每位元組 0.057 nat，泛化差距則相差不到 0.1",
     layer_normalization_lowers_the_loss_and_not_the_gap),
    ("regularized-transformer", "Its loss on the training text is lower in the mean as well, by 0.040, though five "
     "seeds do not settle that", "它在訓練文字上的損失平均也低了 0.040，不過五個種子還不足以判定",
     layer_normalization_lowers_the_loss_and_not_the_gap),
    ("regularized-transformer", "A learning rate of 0.01 was the best of the four in eight of ten trainings",
     "四個學習率中，十次訓練有八次是 0.01 最好", layer_normalization_lowers_the_loss_and_not_the_gap),
    ("regularized-transformer", "At 0.1, the largest, four of the five networks without layer normalization came to "
     "nothing, and all five with it still learned something", "學習率用最大的 0.1 時，沒有層正規化的五個網路有四個什麼"
     "也沒學到，有層正規化的五個則都還學得到一些", layer_normalization_bears_a_larger_rate),
    ("regularized-transformer", "the outputs of the branches and the attention weights lower the loss by 0.14 nats "
     "per byte, one like the other, and the embedded tokens by 0.08",
     "分支的輸出與注意力權重各讓損失降低每位元組 0.14 nat，兩者不相上下，嵌入則降低 0.08", all_three_places_help),
    ("regularized-transformer", "Without dropout the loss is 2.02, with dropout of attention weights alone 1.67, and "
     "with all three 1.61", "不用 Dropout 時損失是 2.02，只用在注意力權重時是 1.67，三個位置都用時是 1.61",
     one_place_has_most_of_it),
    ("regularized-transformer", "one place alone has most of what all three have together, and where two are dropped "
     "already, the third adds 0.02 at most", "單獨一個位置，就有三個位置合起來的大部分好處；已經用在兩個位置時，再加"
     "第三個，最多只再降低 0.02", one_place_has_most_of_it),
    ("regularized-transformer", "With residuals dropout lowers the loss by 0.38 nats per byte. Without them it raises "
     "it by 0.08, as it keeps the network from fitting even its own text. Weight decay lowers it by 0.46 with "
     "residuals and by 0.26 without", "有殘差連接時，Dropout 讓損失降低每位元組 0.38 nat；沒有殘差連接時，損失反而高了 "
     "0.08，因為網路這時連自己的訓練文字都學不太起來。權重衰減在有殘差連接時讓損失降低 0.46，沒有時降低 0.26",
     residuals_give_a_regularizer_something_to_do),
    ("regularized-transformer", "With dropout in both, residuals are ahead by 0.33",
     "兩邊都用 Dropout 時，殘差連接領先 0.33", residuals_give_a_regularizer_something_to_do),
    ("regularized-transformer", "by 0.12: with them the network learns its text by heart the more (a gap of 1.4, "
     "against 1.2)", "高了 0.12：有殘差連接的網路把訓練文字背得更熟（泛化差距 1.4，沒有時是 1.2）",
     residuals_alone_are_worse),
)  # fmt: skip
"""Page, what it says in both languages, and what sees that it is so."""


@pytest.mark.parametrize(("page", "english", "chinese", "sees"), SAID, ids=[f"{s[0]}-{s[1][:24]}" for s in SAID])
def test_what_the_guide_says_of_a_result_is_so(page: str, english: str, chinese: str, sees: Callable[[], None]) -> None:
    for folder, said in (("en", english), ("zh-TW", chinese)):
        text = (DOCS / "guide" / folder / f"{page}.md").read_text(encoding="utf-8")
        assert text.count(said) == 1, said
    sees()
