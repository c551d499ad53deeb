"""Counts as a file of a run: what was written comes back, and what was not is refused."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from plain_counts import text
from safetensors.numpy import load as parse
from safetensors.numpy import save as pack

from mainstem import counts
from mainstem.counts import stored
from mainstem.files import Unusable

GAIN = counts.Gain(network_bpb=2.0, counts_bpb=2.5, mixed_bpb=1.875, low=0.1, high=0.15, tokens=64)


def made(vocab=7, size=300, order=2, share=0.75):
    tokens = text(min(vocab, 90), size).astype(np.uint8 if vocab <= 256 else np.uint16)
    discounts = counts.score(tokens, size, vocab, order).discounts
    about = counts.About(order=order, vocab=vocab, share=share, corpus="text", model="weights", gain=GAIN)
    return counts.Prior(tokens, discounts, about)


@pytest.mark.parametrize("vocab", [7, 300])
def test_it_comes_back_as_it_was_and_scores_as_before(tmp_path: Path, vocab: int) -> None:
    prior = made(vocab)
    stored.save(tmp_path, prior)
    first = (tmp_path / stored.NAME).read_bytes()
    found = stored.load(tmp_path)
    assert found is not None and found.about == prior.about
    assert found.tokens.dtype == prior.tokens.dtype and np.array_equal(found.tokens, prior.tokens)
    for adaptive in (False, True):
        one, other = (each.score(np.array([1, 2, 3, 1]), adaptive) for each in (prior, found))
        assert np.array_equal(one.frozen, other.frozen) and (one.adaptive is None) is not adaptive
    stored.save(tmp_path, found)
    assert (tmp_path / stored.NAME).read_bytes() == first


def test_a_mixture_is_that_of_the_next_token(tmp_path: Path) -> None:
    prior = made()
    network = np.log(np.arange(1, 8) / 28)
    got = prior.mixed(network, [1, 2])
    wanted = 0.75 * np.exp(network) + 0.25 * np.exp(prior.frozen.log_prob([1, 2]))
    np.testing.assert_allclose(np.exp(got), wanted, atol=1e-12)
    for y in range(7):
        assert prior.frozen.log_prob([1, 2])[y] == pytest.approx(prior.score(np.array([1, 2, y])).frozen[-1], abs=1e-12)


def test_nothing_is_there_where_nothing_was_written(tmp_path: Path) -> None:
    assert stored.load(tmp_path) is None


def test_every_kind_of_damage_is_a_sentence(tmp_path: Path) -> None:
    stored.save(tmp_path, made(size=40))
    path = tmp_path / stored.NAME
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(Unusable, match="remove it to use the network alone"):
            stored.load(tmp_path)
    for damaged in (b"", whole[:7], whole[:-1], whole + b"\0", b"\xff" * 64, pack({"tokens": np.zeros(3, np.uint8)})):
        path.write_bytes(damaged)
        with pytest.raises(Unusable, match="is damaged"):
            stored.load(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(Unusable):
        stored.load(tmp_path)


@pytest.mark.parametrize(
    ("tokens", "discounts"),
    [(np.full(9, 7, np.uint8), None), (np.zeros((2, 2), np.uint8), None), (np.zeros(9, np.int16), None),
     (None, np.ones((2, 3))), (None, np.zeros((3, 3))), (None, np.full((3, 3), np.nan)),
     (None, np.ones((3, 3), np.float32))],
)  # fmt: skip
def test_numbers_that_belong_to_no_text_are_refused_whoever_has_signed_them(tmp_path: Path, tokens, discounts) -> None:
    prior = made()
    tokens, discounts = (prior.tokens if tokens is None else tokens), (
        prior.discounts if discounts is None else discounts
    )  # fmt: skip
    stored.save(tmp_path, counts.Prior(tokens, discounts, prior.about))
    assert set(parse((tmp_path / stored.NAME).read_bytes())) == {"tokens", "discounts"}
    with pytest.raises(Unusable, match="its numbers are not those"):
        stored.load(tmp_path)
    high = msgspec.structs.replace(prior.about, order=31, vocab=1 << 20)
    stored.save(tmp_path, counts.Prior(prior.tokens, np.ones((32, 3)), high))
    with pytest.raises(Unusable, match="its numbers are not those"):
        stored.load(tmp_path)
