import numpy as np
import pytest

from mainstem.data.order import epoch_words, permuted


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 64, 65, 255, 1000, 4097, 70_000])
@pytest.mark.parametrize("epoch", [0, 1, 2**31])
def test_order_is_a_bijection(size: int, epoch: int) -> None:
    found = permuted(np.arange(size), size, seed=3, epoch=epoch)
    assert np.array_equal(np.sort(found), np.arange(size))


def test_any_part_can_be_had_without_the_rest() -> None:
    whole = permuted(np.arange(5000), 5000, 1, 2)
    assert np.array_equal(permuted(np.array([4999, 17, 17]), 5000, 1, 2), whole[[4999, 17, 17]])


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    orders = [permuted(np.arange(2000), 2000, seed, epoch) for seed, epoch in [(0, 0), (0, 1), (1, 0), (2**63, 0)]]
    for i, one in enumerate(orders):
        for other in orders[:i]:
            assert np.count_nonzero(one == other) < 12  # one agreement is expected by chance


def test_order_never_changes() -> None:
    """A run that is resumed under another version must see the same windows."""
    assert permuted(np.arange(10), 10, seed=0, epoch=0).tolist() == [0, 9, 3, 2, 4, 1, 8, 6, 7, 5]
    assert epoch_words(0, 0)[0] == 610001923


def test_every_place_is_as_likely_and_neighbours_are_torn_apart() -> None:
    size, epochs = 16, 400
    orders = np.array([permuted(np.arange(size), size, 5, epoch) for epoch in range(epochs)])
    counts = np.array([np.bincount(orders[:, position], minlength=size) for position in range(size)])
    expected = epochs / size
    assert ((counts - expected) ** 2 / expected).sum() < 330  # chi-squared, 225 degrees of freedom, p = 1e-5
    followed = np.mean(orders[:, 1:] - orders[:, :-1] == 1)
    assert abs(followed - 1 / size) < 0.02
