"""Other people's models: silence about healthy ones, at the start and later, and each planted fault found by name."""

import healthy_strangers
import pytest
import strangers
import torch
import torch.nn.functional as F

from mainstem import measure
from mainstem.measure.diagnose import attending, regularization, wiring


def train(model, given, classes, step, steps=2):
    for _ in range(steps):
        F.cross_entropy(model(*given).flatten(0, -2), classes).backward()
        step.step()
        step.zero_grad()


def faults(m):
    return {finding.fault: finding for finding in m.diagnose()}


@pytest.mark.parametrize("name", healthy_strangers.HEALTHY)
def test_nothing_is_said_of_a_healthy_model(name):
    """At its start, in a first step of warm-up at rate 0, after some training, and in evaluation."""
    torch.manual_seed(0)
    model = healthy_strangers.HEALTHY[name]()
    given, classes = healthy_strangers.batch(name)
    for rate, before in ((0.0, 0), (1e-3, 0), (1e-3, 12)):
        step = healthy_strangers.optimizer(model, rate)
        train(model, given, classes, step, before)
        with measure.watch(model, optimizer=step) as m:
            train(model, given, classes, step, 1 if rate == 0 else 2)
        assert [str(finding) for finding in m.diagnose()] == []
    with measure.watch(model.eval()) as m, torch.no_grad():
        model(*given)
    assert [str(finding) for finding in m.diagnose()] == []


def planted(fault, name="decoder, plain", layers=4, way="plain", order="pre", at=None, training=True):
    """Return what is found of a language model of which the layers `at`, or all, have the fault."""
    torch.manual_seed(0)
    model = strangers.Language(layers, way=way, order=order)
    given, classes = healthy_strangers.batch(name)
    for number in range(layers) if at is None else at:
        model.layers[number] = strangers.Layer(fault=fault, way=way, order=order)
    with measure.watch(model.train(training)) as m:
        F.cross_entropy(model(*given).flatten(0, -2), classes).backward()
    return faults(m)


@pytest.mark.parametrize("fault", ["dropped stream", "dropped input", "dropped in place"])
@pytest.mark.parametrize("at", [None, [2]])
def test_dropout_on_the_stream(fault, at):
    order = "in place" if fault == "dropped in place" else "pre"
    found = planted(fault, at=at, order=order)
    twice = {"dropped twice"} if fault == "dropped input" and at is None else set()  # behind the embedding's dropout
    assert set(found) == {"dropped stream"} | twice
    assert f"`layers.{0 if at is None else 2}`" in found["dropped stream"].evidence
    assert "x + dropout(F(x))" in found["dropped stream"].remedy
    assert planted(fault, at=at, order=order, training=False) == {}


@pytest.mark.parametrize("fault", ["normed", "normed late"])
@pytest.mark.parametrize("at", [None, [2]])
def test_a_residual_from_the_normed_input(fault, at):
    found = planted(fault, at=at)
    assert list(found) == ["normed residual"]
    assert f"`layers.{0 if at is None else 2}`" in found["normed residual"].evidence


def test_a_norm_of_the_embedding_in_the_first_layer_is_no_fault():
    assert planted("normed", at=[0]) == {}
    assert list(planted("normed", at=[0, 1])) == ["normed residual"]


def test_dropout_twice_outside_of_the_weights():
    found = planted("dropped twice", at=[1])
    assert list(found) == ["dropped twice"] and "`layers.1.attn`" in found["dropped twice"].evidence


@pytest.mark.parametrize("inplace", [False, True])
def test_dropout_twice_in_a_feed_forward(inplace):
    torch.manual_seed(0)
    model = strangers.Language()
    model.layers[3].mlp.append(torch.nn.Dropout(0.1, inplace))
    model.layers[3].mlp[3].inplace = inplace
    given, classes = healthy_strangers.batch("decoder, plain")
    with measure.watch(model) as m:
        F.cross_entropy(model(*given).flatten(0, -2), classes).backward()
    assert "dropout applied twice in `layers.3.mlp.4`" in faults(m)["dropped twice"].evidence


@pytest.mark.parametrize("at", [None, [1]])
def test_no_causal_mask(at):
    found = planted("no mask", at=at)
    assert list(found) == ["no causal mask"]
    first = "`layers.0.attn`, `layers.1.attn`, `layers.2.attn` and 1 more" if at is None else "`layers.1.attn` lets"
    assert first in found["no causal mask"].evidence
    assert planted("no mask", "masked language model") == {}


def test_a_mask_that_is_missing_is_seen_in_fused_attention_and_in_outputs_of_any_kind():
    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = strangers.Language(causal=False, way="fused")

        def forward(self, input_ids, labels):
            hidden = self.net(input_ids)
            logits = hidden.flip(-1).flatten(0, 1)  # so that the gradient of `hidden` names other tokens
            asked = F.pad(labels[:, 1:], (0, 1), value=-100).flatten()
            return {"loss": F.cross_entropy(logits, asked), "logits": logits, "hidden": hidden}

    ids = torch.randint(0, strangers.VOCAB, (8, strangers.LENGTH))
    model = Wrapped()
    with measure.watch(model) as m:
        found = model(labels=ids, input_ids=ids)
        (found["loss"] + 1e-3 * found["hidden"].square().mean()).backward()
    assert list(faults(m)) == ["no causal mask"]


@pytest.mark.parametrize("fault", ["wrong axis", "over heads"])
def test_a_softmax_over_a_wrong_axis(fault):
    for training in (True, False):
        found = planted(fault, at=[2], training=training)
        assert "in `layers.2.attn` the softmax is not over the keys" in found["wrong softmax"].evidence
    torch.manual_seed(0)
    model = strangers.Language()
    model.layers[2] = strangers.Layer(fault=fault)
    with measure.watch(model.eval()) as m, torch.inference_mode():
        model(*healthy_strangers.batch("decoder, plain")[0])
    assert "wrong softmax" in faults(m)


def test_logits_that_a_number_masks_are_left_out():
    """Swin's -100 and an old BERT's -10,000 are no logits, and keys that they hide are not seen."""
    torch.manual_seed(0)
    found = {}
    for way in ("plain", "added", "where"):
        torch.manual_seed(0)
        model = strangers.Language(way=way).eval()
        with measure.watch(model) as m, torch.no_grad():
            model(torch.arange(2 * strangers.LENGTH).view(2, -1))
        found[way] = m.results
    for name in ("attention_logit", "attention_entropy"):
        right = found["plain"][name]
        assert found["added"][name] == pytest.approx(right) and found["where"][name] == pytest.approx(right)
    torch.manual_seed(0)
    model = healthy_strangers.HEALTHY["windows, shifted"]().eval()
    with measure.watch(model) as m, torch.no_grad():
        model(*healthy_strangers.batch("windows, shifted")[0])
    assert max(m.results["attention_logit"].values()) < 10


def test_a_finding_names_what_it_saw_whatever_saw_nothing():
    with measure.watch(strangers.Language()) as m:
        pass
    for fault in (attending.sees_its_answer, attending.wrong_axis, wiring.normed_residual,
                  regularization.dropped_stream):  # fmt: skip
        assert list(fault(m)) == []


def test_a_softmax_over_queries_is_followed_through_copies_that_einsum_makes():
    found = planted("wrong axis", way="heads last", at=[1])
    assert "in `layers.1.attn` the softmax is not over the keys" in found["wrong softmax"].evidence
