"""The tokens behind the next one count less and less, and in the last part of a training not at all."""

from pathlib import Path

import pytest
import torch
from learners import made, with_loss
from variants import small, tokens

from mainstem import config
from mainstem.train.losses.multi_token import MultiToken


def test_one_token_after_the_other_is_let_go_in_equal_parts_of_the_training() -> None:
    loss = MultiToken(tokens=4, share=0.5)
    for progress, weights in (
        (0.0, [0.5, 0.25, 0.125]), (0.125, [0.5, 0.25, 0.0625]), (0.25, [0.5, 0.25]), (0.375, [0.5, 0.125]),
        (0.5, [0.5]), (0.6875, [0.125]), (0.75, []), (1.0, []),
    ):  # fmt: skip
        assert loss.ahead(progress) == pytest.approx(weights)


def test_without_tokens_ahead_it_is_the_loss_of_the_next_one() -> None:
    def forward() -> None:
        raise AssertionError("it was called")

    assert MultiToken().around(forward, 0.7) is forward  # type: ignore[arg-type]


def test_a_step_takes_the_weights_of_its_progress(tmp_path: Path) -> None:
    learner = made(tmp_path, steps=7)

    def losses(loss: config.Loss) -> list[float]:
        other = with_loss(learner, loss)
        return [other.gradients(number)["loss"].item() for number in range(1, 8)]

    plain, several = losses(config.Loss()), losses(config.Loss(name="multi_token"))
    ratios = [one / other - 1 for one, other in zip(several, plain, strict=True)]
    expected = [sum(MultiToken().ahead(number / 6)) for number in range(7)]
    assert ratios == pytest.approx(expected, rel=0.15)
    assert ratios[4:] == [0.0, 0.0, 0.0]


def test_a_window_shorter_than_the_tokens_ahead_has_what_there_is() -> None:
    network, x = small("pre_norm").double(), tokens(2, 2)
    loss = MultiToken(tokens=16).around(network)(tokens_BT=x, targets_BT=x)
    log_BTV = network(x).log_softmax(2)
    expected = -log_BTV.gather(2, x[..., None]).sum() - 0.5 * log_BTV[:, 0].gather(1, x[:, 1:]).sum()
    torch.testing.assert_close(loss.float(), expected)
