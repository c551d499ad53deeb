"""Embedded n-grams against plain loops over Python's whole numbers, and what they may not see."""

import plain
import pytest
import torch
from variants import small, tokens

from mainstem.errors import BadInput
from mainstem.nn import Cache, Context, Embedding, NGrams


def made(vocab=7, width=3, order=4, rows=60):
    module = NGrams(vocab, width, order, rows).double()
    with torch.no_grad():
        module.weight.normal_(generator=torch.Generator().manual_seed(0))
    return module


@pytest.mark.parametrize(
    ("vocab", "order", "rows"),
    [(7, 2, 60), (7, 4, 60), (7, 4, 1), (2, 5, 8), (1, 3, 5), (50257, 3, 1 << 14), (10**6, 8, 1000)],
)
def test_values_equal_plain_loops(vocab, order, rows):
    module, x = made(vocab, 3, order, rows), tokens(3, 11, vocab)
    expected = torch.stack([plain.ngrams(module.weight.detach(), text, vocab, rows) for text in x.tolist()])
    torch.testing.assert_close(module(x), expected)


def test_gradients_equal_finite_differences():
    module, x = made(3, 2, 3, 10), tokens(2, 5, 3)
    assert torch.autograd.gradcheck(lambda w: torch.func.functional_call(module, {"weight": w}, (x,)), module.weight)


def test_what_a_shorter_text_than_the_order_has_is_its_own():
    module = made(order=4)
    assert module(tokens(2, 1, 7)).tolist() == torch.zeros(2, 1, 3).tolist()
    assert module(torch.zeros(0, 5, dtype=torch.int64)).shape == (0, 5, 3)


def test_no_position_sees_what_comes_after_it():
    module, x = made(rows=3000), tokens(1, 9, 7)
    other = x.clone()
    other[0, 4] = (other[0, 4] + 1) % 7
    changed = (module(x) != module(other)).any(-1)[0].tolist()
    assert changed == [False] * 4 + [True] * 4 + [False]


def test_a_document_sees_itself_alone():
    module, x = made(), tokens(1, 12, 7)
    documents = torch.tensor([[0] * 5 + [1] + [2] * 6])
    together = module(x, Context(documents=documents))
    alone = torch.cat([module(part) for part in x.split([5, 1, 6], dim=1)], dim=1)
    assert torch.equal(together, alone)


@pytest.mark.parametrize("parts", [[1] * 9, [3, 1, 5], [8, 1], [2, 7]])
def test_with_a_cache_parts_are_the_whole(parts):
    module, x, cache = made(), tokens(2, 9, 7), Cache()
    found = [module(part, Context(cache=cache)) for part in x.split(parts, dim=1)]
    assert torch.equal(torch.cat(found, dim=1), module(x))


@pytest.mark.parametrize("parts", [[1] * 9, [3, 1, 5], [8, 1]])
@pytest.mark.parametrize("given", ["always", "where some are hidden"])
def test_with_a_cache_hidden_tokens_stay_hidden_for_what_comes_behind(parts, given):
    module, x, cache = made(), tokens(2, 9, 7), Cache()
    shown = torch.tensor([[1.0, 1, 0, 1, 1, 1, 1, 1, 0], [1.0, 1, 1, 1, 1, 0, 1, 1, 1]])
    found = []
    for part, own in zip(x.split(parts, dim=1), shown.split(parts, dim=1), strict=True):
        none = given != "always" and bool(own.all())
        found.append(module(part, Context(cache=cache, shown=None if none else own)))
    assert torch.equal(torch.cat(found, dim=1), module(x, Context(shown=shown)))


def test_a_model_with_hidden_tokens_is_the_same_token_by_token():
    model, x, cache = small("pre_norm", embedding={"name": "ngrams", "order": 3, "rows": 40}), tokens(2, 7), Cache()
    with torch.no_grad():
        model.embedding.ngrams.weight.normal_(generator=torch.Generator().manual_seed(0))
    shown = torch.tensor([[1.0, 1, 0, 1, 1, 1, 1], [1.0, 0, 1, 1, 1, 1, 0]])
    model.eval()
    found = [model(x[:, t : t + 1], cache=cache, shown_BT=shown[:, t : t + 1]) for t in range(7)]
    torch.testing.assert_close(torch.cat(found, dim=1), model(x, shown_BT=shown))


def test_two_tables_of_one_cache_keep_their_own_tokens():
    one, two, x, cache = made(order=2), made(order=4), tokens(2, 9, 7), Cache()
    found = [[module(part, Context(cache=cache)) for part in x.split(3, dim=1)] for module in (one, two)]
    for module, parts in zip((one, two), found, strict=True):
        assert torch.equal(torch.cat(parts, dim=1), module(x))


def test_pairs_of_a_large_vocabulary_are_spread_over_all_rows():
    # A table that has a factor in common with the vocabulary, as powers of two have, must not forget the first token.
    vocab, rows = 4096, 1 << 14
    pairs = torch.cartesian_prod(torch.arange(0, 4096, 32), torch.arange(0, 4096, 32))
    found, there = NGrams(vocab, 1, 2, rows).rows_of(pairs)
    assert there[:, 1].all()
    assert 0 <= int(found.min())
    assert int(found.max()) < rows
    met = len(found[:, 1].unique())
    assert met > 0.9 * rows * (1 - (1 - 1 / rows) ** len(pairs))


def test_compiles_whole():
    torch._dynamo.reset()
    module, x = made(), tokens(2, 9, 7)
    documents = torch.tensor([[0] * 4 + [1] * 5, [3] * 9])
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    for ctx in (None, Context(documents=documents)):
        expected, found = module(x, ctx), compiled(x, ctx)
        torch.testing.assert_close(found, expected)
        grads = [torch.autograd.grad(y.square().sum(), module.weight)[0] for y in (expected, found)]
        torch.testing.assert_close(*grads)


def test_a_model_begins_as_it_would_without():
    with_them, without = small("pre_norm", embedding={"name": "ngrams", "order": 3, "rows": 40}), small("pre_norm")
    x = tokens()
    assert torch.equal(with_them(x), without(x))
    with torch.no_grad():
        with_them.embedding.ngrams.weight.normal_(generator=torch.Generator().manual_seed(0))
    assert not torch.equal(with_them(x), without(x))


def test_the_embedding_adds_them():
    grams = made(width=3)
    embedding, x = Embedding(7, 3, beside=grams).double(), tokens(2, 6, 7)
    torch.testing.assert_close(embedding(x), embedding.weight[x] + grams(x))
    assert embedding.ngrams.roles() == {"weight": "embedding.ngram"}


@pytest.mark.parametrize(("order", "rows"), [(1, 16), (0, 16), (2, 0), (3, -1)])
def test_bad_values_are_refused(order, rows):
    with pytest.raises(BadInput, match=f"order {order} in {rows} rows"):
        NGrams(5, 4, order, rows)
