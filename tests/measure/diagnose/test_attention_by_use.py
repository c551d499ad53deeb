"""Attention is known by what it computes: whatever its class is called, and wherever softmax and products stand."""

import healthy_strangers
import pytest
import strangers
import torch
import torch.nn.functional as F
from strangers import WIDTH
from torch import nn

from mainstem import measure

Mixing = type("Mixing", (strangers.SelfAttention,), {})
WAYS = ("plain", "fused", "heads last", "keys first", "added", "where")


def renamed(fault="", way="plain", at=(1,)):
    torch.manual_seed(0)
    model = strangers.Language(way=way)
    for number in at if fault else ():
        model.layers[number] = strangers.Layer(fault=fault, way=way)
    for layer in model.layers:
        layer.attn.__class__ = Mixing
    return model


def watched(model, training=True):
    given, classes = healthy_strangers.batch("decoder, plain")
    with measure.watch(model.train(training)) as m:
        F.cross_entropy(model(*given).flatten(0, -2), classes).backward()
    return m


def faults(m):
    return {finding.fault: finding.evidence for finding in m.diagnose()}


@pytest.mark.parametrize("way", WAYS)
def test_numbers_are_those_of_a_class_with_attention_in_its_name(way):
    named = renamed(way=way)
    for layer in named.layers:
        layer.attn.__class__ = strangers.SelfAttention
    found = []
    for model in (named, renamed(way=way)):
        torch.manual_seed(1)
        m = watched(model, training=False)
        assert faults(m) == {}
        found.append([m.results[name] for name in ("attention_logit", "attention_entropy")])
    assert found[0] == found[1] and len(found[0][0]) == 4


@pytest.mark.parametrize("fault", ["no mask", "wrong axis", "over heads"])
def test_faults_are_found_where_they_are(fault):
    name = "no causal mask" if fault == "no mask" else "wrong softmax"
    found = faults(watched(renamed(fault)))
    assert "`layers.1.attn`" in found[name] and "layers.2" not in found[name]


class Apart(nn.Module):
    """Scores, softmax and dropout in modules of their own, the products in the block itself."""

    class Scores(nn.Module):
        def forward(self, q, k):
            return q @ k.mT / WIDTH**0.5

    def __init__(self, causal):
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.scores, self.softmax, self.drop, self.causal = self.Scores(), nn.Softmax(-1), nn.Dropout(0.1), causal

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        scores = q @ k.mT / WIDTH**0.5
        if self.causal:
            scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), float("-inf"))
        return x + self.out(self.drop(self.softmax(scores)) @ v)


@pytest.mark.parametrize("causal", [True, False])
def test_a_block_that_attends_by_itself_is_the_attention(causal):
    torch.manual_seed(0)
    model = strangers.Language()
    for number in range(4):
        model.layers[number] = Apart(causal)
    m = watched(model)
    assert list(m.results["attention_logit"]) == [f"layers.{number}" for number in range(4)]
    assert list(faults(m)) == ([] if causal else ["no causal mask"])


class Talking(nn.Module):
    """Talking heads: a learned matrix mixes heads before the softmax and behind it."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.first, self.second = (nn.Parameter(torch.eye(4) + 0.1 * torch.randn(4, 4)) for _ in range(2))

    def forward(self, x):
        q, k, v = (t.unflatten(2, (4, -1)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        scores = torch.einsum("bhqk,hg->bgqk", q @ k.mT, self.first)
        scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), float("-inf"))
        weights = torch.einsum("bhqk,hg->bgqk", scores.softmax(-1), self.second)
        return self.out((weights @ v).transpose(1, 2).flatten(2))


class Slots(nn.Module):
    """Slots compete for each input by a softmax over slots, and take means by weights divided by their sums."""

    def __init__(self):
        super().__init__()
        self.slots = nn.Parameter(torch.randn(5, WIDTH))
        self.q, self.k, self.v, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, x):
        q = self.q(self.slots).expand(len(x), -1, -1)
        weights = (q @ self.k(x).mT / WIDTH**0.5).softmax(1) + 1e-8
        weights = weights / weights.sum(-1, keepdim=True)
        return self.out(weights @ self.v(x)).mean(1, keepdim=True)


class Experts(nn.Module):
    """A router whose softmax is over a product with a weight, by einsum, as batched products of it are."""

    def __init__(self):
        super().__init__()
        self.route = nn.Parameter(torch.randn(WIDTH, 3))
        self.into = nn.Parameter(0.1 * torch.randn(3, WIDTH, WIDTH))

    def forward(self, x):
        gates = torch.einsum("btd,de->bte", x, self.route).softmax(-1)
        return torch.einsum("bte,btd,edf->btf", gates, x, self.into)


@pytest.mark.parametrize("kind", [Talking, Slots, Experts])
def test_what_is_no_fault_of_attention_is_not_said(kind):
    torch.manual_seed(0)
    model = strangers.Language()
    for layer in model.layers:
        layer.attn = kind()
    m = watched(model)
    assert not {"wrong softmax", "no causal mask"} & {*faults(m)}
    assert ("attention_logit" in m.results) == (kind is not Experts)


class First(nn.Module):
    """A language model that is given positions first, or returns them so, and as rows of one axis where `flat`."""

    def __init__(self, model, given, returned, flat):
        super().__init__()
        self.model, self.given, self.returned, self.flat = model, given, returned, flat

    def forward(self, ids):
        logits = self.model(ids.mT if self.given else ids)
        logits = logits.transpose(0, 1) if self.returned else logits
        return logits.flatten(0, 1) if self.flat else logits


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(("given", "returned"), [(True, True), (True, False), (False, True)])
def test_next_tokens_are_known_in_either_order_of_axes(given, returned, flat):
    """As in PyTorch's own tutorial, whose models are called with positions first."""
    torch.manual_seed(0)
    ids = torch.randint(strangers.VOCAB, (5, 12))
    for fault in ("", "no mask"):
        model, following = First(renamed(fault), given, returned, flat), ids.roll(-1, 1)
        answers = (following.mT if returned else following).flatten()
        with measure.watch(model) as m:
            F.cross_entropy(model(ids.mT if given else ids).flatten(0, -2), answers).backward()
        assert ("no causal mask" in faults(m)) == bool(fault)
