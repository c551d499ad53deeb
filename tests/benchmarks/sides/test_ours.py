"""The counts that stand beside a run's network are scored with it, target by target."""

import numpy as np
import pytest
import torch

from mainstem import counts


def test_counts_beside_a_network_are_mixed_in_frozen_and_adaptive(load) -> None:
    ours = load("sides.ours")
    text_N = np.array([0, 1, 2, 0, 1, 2, 0, 1, 3, 0] * 4, np.uint8)
    discounts = counts.score(text_N, len(text_N), 4, 2).discounts
    gain = counts.Gain(network_bpb=2.0, counts_bpb=2.5, mixed_bpb=1.875, low=0.1, high=0.15, tokens=64)
    about = counts.About(order=2, vocab=4, share=0.75, corpus="text", model="weights", gain=gain)
    prior = counts.Prior(text_N, discounts, about)
    held_N = torch.tensor([1, 2, 0, 3, 3, 3])
    frozen_N, adaptive_N = ours.mixed(prior, torch.full((6,), np.log(4.0)), held_N)
    scored = prior.score(held_N.numpy(), adaptive=True)
    for found_N, logs_N in ((frozen_N, scored.frozen), (adaptive_N, scored.adaptive)):
        assert found_N.exp().reciprocal().tolist() == pytest.approx((0.75 / 4 + 0.25 * np.exp(logs_N)).tolist())
    assert adaptive_N[-1] < frozen_N[-1]
