"""Counts beside the whole network: what they are worth, when they are left out, and what lies in the run's folder."""

import hashlib
import io
import json
import shutil

import numpy as np
import pytest
import tiny_run
import torch

import mainstem
from mainstem import counts, data, train
from mainstem.cli.main import main
from mainstem.counts import stored
from mainstem.data.batches import spread, targets
from mainstem.errors import BadInput
from mainstem.runs.state import Best
from mainstem.train import prior
from mainstem.train.console import Plain


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def trained(tmp_path, out="first", **more):
    stream = io.StringIO()
    run = tiny_run.run(tiny_run.text(tmp_path), out, **{"model": {"prior": "counts"}, **more})
    train.run(run, console=Plain(stream))
    return tmp_path / out, " ".join(stream.getvalue().split())


def scored(tmp_path, windows):
    """Return a learner, its best pass over so many windows, and what counts make of the held-out tokens."""
    learner, _ = tiny_run.learner(tiny_run.run(tiny_run.text(tmp_path), "none"), tmp_path / "cache")
    part = learner.task.sample(learner)._replace(held_out=windows)
    best = Best.at(3, learner.measure(part))
    return learner, best, data.yardsticks.over_tokens(learner.data)


@pytest.mark.parametrize("windows", [5, 1 << 20])
def test_what_it_is_worth_is_measured_on_each_half_with_the_share_of_the_other(tmp_path, windows):
    learner, best, over = scored(tmp_path, windows)
    held = np.asarray(learner.data.held_out.ids)
    every = -(-(len(held) - 1) // 16)
    places = targets(held, 16, spread(every, min(windows, every)))
    whole = counts.score(np.concatenate([over.tokens, held]), len(over.tokens), 256, over.order)
    network = -prior.losses(learner, best)
    logits = learner.model.eval()(torch.tensor(held[None, :16].astype(int)))
    alone = torch.log_softmax(logits, -1)[0, torch.arange(15), torch.tensor(held[1:16].astype(int))]
    np.testing.assert_allclose(network[:15], alone.detach().numpy(), atol=2e-3)
    share, gain = prior.fit(learner, best, -network, over)
    mixed = counts.crossed(network, whole.frozen[places].astype(np.float32).astype(float))
    assert gain.tokens == len(places) == best.tokens
    assert share == pytest.approx(counts.share(network, whole.frozen[places]), abs=1e-5)
    bits = best.values["bits_per_byte"] / best.values["nats_per_token"]
    assert gain.mixed_bpb == pytest.approx(-mixed.mean() * bits, rel=1e-6)
    assert gain.network_bpb == best.values["bits_per_byte"]
    assert gain.low < gain.network_bpb - gain.mixed_bpb < gain.high
    half, draw = len(network) // 2, np.random.default_rng(0)
    frozen = np.zeros(len(held), np.float32)
    frozen[places] = network + draw.normal(0, 1, len(network)) + np.where(np.arange(len(network)) < half, 0.4, -0.4)
    share, gain = prior.fit(learner, best, -network, over._replace(frozen=frozen))
    crossed, same = (
        -mixed.mean() * bits
        for mixed in (counts.crossed(network, frozen[places]), counts.mix(network, frozen[places], share))
    )
    assert crossed > same + 1e-3 and gain.mixed_bpb == pytest.approx(crossed, abs=1e-6)


def test_losses_of_another_pass_are_measured_again(tmp_path):
    learner, best, _ = scored(tmp_path, 5)
    first = prior.losses(learner, best)
    assert learner.losses.values is not None
    learner.losses.values.fill_(9.0)
    assert (prior.losses(learner, best) == 9.0).all()  # it was this pass
    learner.measure(learner.task.sample(learner)._replace(held_out=3))
    assert np.array_equal(prior.losses(learner, best), first)


def test_what_does_not_help_is_left_out(tmp_path, monkeypatch):
    learner, best, over = scored(tmp_path, 1 << 20)
    found, why = prior.fitted(learner, best, over)
    assert found is not None and why == ""
    flat = over._replace(frozen=np.full_like(over.frozen, -30.0))
    found, why = prior.fitted(learner, best, flat)
    assert found is None and "would take" in why and "95% interval" in why


def test_a_run_has_its_counts_and_says_both_numbers(tmp_path, capsys):
    folder, said = trained(tmp_path)
    outcome = json.loads((folder / "facts.json").read_text())["outcome"]
    told = outcome["prior"]
    assert told["mixed_bpb"] < told["network_bpb"] == outcome["best"]["bits_per_byte"]
    assert f"with counts {told['mixed_bpb']:.4f} bits per byte" in said and f"{told['network_bpb']:.4f}" in said
    loaded = mainstem.load(folder)
    assert loaded.prior.about.share == told["share"] and loaded.remark == ""
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert loaded.prior.about.model == digest
    corpus = data.prepare(loaded.run.data, tmp_path / "cache")
    assert np.array_equal(loaded.prior.tokens, corpus.train.ids)
    assert main(["evaluate", str(folder), "--adaptive", "--stride", "8", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["with_counts"]["bits_per_byte"] == pytest.approx(told["mixed_bpb"], rel=0.03)
    assert found["with_counts"]["bits_per_byte"] < found["bits_per_byte"]
    assert found["strided"]["with_adaptive_counts"]["nats_per_token"] > 0
    assert main(["evaluate", str(folder), "--prior", "none"]) == 0
    assert "with counts" not in capsys.readouterr().out
    assert mainstem.load(folder, last=True).prior is None


def test_what_evaluate_says_is_the_mean_of_what_predict_says(tmp_path, capsys):
    folder, _ = trained(tmp_path)
    loaded = mainstem.load(folder)
    other = tmp_path / "other.txt"
    other.write_text("delta mouth so")
    tokens = loaded.tokenizer.encode("delta mouth so")
    assert main(["evaluate", str(folder), str(other), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    logs_TV = loaded.predict(tokens)
    assert logs_TV.exp().sum(-1).allclose(torch.ones(len(tokens)))
    order, share, frozen = (
        loaded.prior.about.order,
        loaded.prior.about.share,
        loaded.prior.score(np.array(tokens)).frozen,
    )
    places = torch.arange(len(tokens) - 1), torch.tensor(tokens[1:])
    alone = mainstem.load(folder, prior=False).predict(tokens)[places].double().numpy()
    mixed = counts.mix(alone, frozen[1:], share)
    assert order < len(tokens) - 1
    np.testing.assert_allclose(logs_TV[places].numpy()[order:], mixed[order:], atol=1e-5)
    assert found["with_counts"]["nats_per_token"] == pytest.approx(-mixed.mean(), abs=1e-4)


def test_a_sample_is_drawn_from_the_mixture(tmp_path, capsys):
    folder, _ = trained(tmp_path)
    words = ["sample", str(folder), "--prompt", "river de", "--num-tokens", "40", "--temperature", "0"]
    assert main(words) == 0
    both = capsys.readouterr().out
    assert main([*words, "--prior", "none"]) == 0
    assert capsys.readouterr().out != both
    loaded, tokens = mainstem.load(folder), list(b"river de")
    for _ in range(8):
        tokens.append(int(loaded.predict(tokens[-16:])[-1].argmax()))
    assert both.startswith(bytes(tokens).decode())


@pytest.mark.parametrize("order", [0, 3])
def test_an_order_that_is_given_is_used(tmp_path, order):
    folder, _ = trained(tmp_path, model={"prior": {"name": "counts", "order": order}})
    assert mainstem.load(folder).prior.about.order == order


def test_an_order_that_the_vocabulary_leaves_no_room_for_is_refused_before_training(tmp_path):
    with pytest.raises(BadInput, match=r"model\.prior\.order 31 is not one of 0 to 15, for which a vocabulary of 256"):
        trained(tmp_path, model={"prior": {"name": "counts", "order": 31}})
    assert not (tmp_path / "first").exists()


def test_none_is_the_network_alone_and_takes_away_what_was_there(tmp_path, capsys):
    folder, _ = trained(tmp_path)
    assert (folder / stored.NAME).exists()
    assert main(["train", "--resume", str(folder), "--model.prior", "none"]) == 0
    assert not (folder / stored.NAME).exists()
    assert "prior" not in json.loads((folder / "facts.json").read_text())["outcome"]
    assert main(["train", "--resume", str(folder), "--model.prior", "counts"]) == 0
    assert mainstem.load(folder).prior is not None


def test_counts_of_other_weights_deleted_ones_and_damaged_ones(tmp_path, capsys):
    folder, _ = trained(tmp_path)
    path, whole = folder / stored.NAME, (folder / stored.NAME).read_bytes()
    other, _ = trained(tmp_path, "second", train={"steps": 12})
    shutil.copy(other / stored.NAME, path)
    assert mainstem.load(folder).prior is None and "other weights" in mainstem.load(folder).remark
    path.unlink()
    assert main(["evaluate", str(folder)]) == 0
    assert "counts.safetensors is gone" in " ".join(capsys.readouterr().out.split())
    assert main(["sample", str(folder), "--num-tokens", "3"]) == 0
    assert "counts.safetensors is gone" in capsys.readouterr().err
    assert main(["evaluate", str(folder), "--adaptive"]) == 2
    assert "has none that are used" in capsys.readouterr().err
    path.write_bytes(whole[:-1] + b"?")
    for words in (["evaluate", str(folder)], ["sample", str(folder)]):
        assert main(words) == 2
        assert "remove it to use the network alone" in " ".join(capsys.readouterr().err.split())
        assert main([*words, "--prior", "none"]) == 0
        capsys.readouterr()
    (tmp_path / "new.txt").write_text((tmp_path / "corpus.txt").read_text() + " more")
    run = tiny_run.run(tmp_path / "new.txt", "third", model={"prior": "counts"})
    train.run(run, console=Plain(None))
    shutil.copy(tmp_path / "third" / stored.NAME, path)
    assert main(["sample", str(folder)]) == 2
    assert "counts of another text" in " ".join(capsys.readouterr().err.split())


def test_a_kill_between_model_and_counts_leaves_no_wrong_pair_and_the_same_bytes_in_the_end(tmp_path, monkeypatch):
    whole, _ = trained(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(prior, "save", lambda *what: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path, "second")
    folder = tmp_path / "second"
    assert (folder / "model.safetensors").exists() and mainstem.load(folder).prior is None
    trained(tmp_path, "second")
    for name in ("model.safetensors", stored.NAME):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    longer = tiny_run.run(tmp_path / "corpus.txt", "second", model={"prior": "counts"}, train={"steps": 40})
    with monkeypatch.context() as patch:
        patch.setattr(prior, "save", lambda *what: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train.run(longer, console=Plain(None))
    loaded = mainstem.load(folder)
    assert loaded.prior is None and "other weights" in loaded.remark
    train.run(longer, console=Plain(None))
    assert mainstem.load(folder).prior is not None


def test_without_time_what_was_fitted_to_these_weights_stays(tmp_path, monkeypatch):
    folder, _ = trained(tmp_path)
    before = (folder / stored.NAME).read_bytes()
    monkeypatch.setattr("mainstem.train.yardstick.Yardsticks.over_tokens", None)
    _, said = trained(tmp_path)
    assert (folder / stored.NAME).read_bytes() == before and "with counts" in said
    shutil.rmtree(tmp_path / "first")
    folder, said = trained(tmp_path)
    assert not (folder / stored.NAME).exists()
    assert "without counts: the budget had no time left to count, as model.prior asks for" in " ".join(said.split())
