"""Flow through a network: the gradient that autograd itself gives at the embedding, and nothing left behind."""

import numpy as np
import torch
from lab import trial

from mainstem import config, data
from mainstem.data.batches import Plan, fetch
from mainstem.lab import Cell
from mainstem.lab.experiments import deviation, scale
from mainstem.lab.measured import Flow, first_batch, flow


def test_the_first_gradient_is_that_of_the_embedded_text():
    one = trial(Cell("c"), model__layers=3)
    network = one.build()
    network.train()
    found = flow(one, network)
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert len(found.stream) == len(found.gradient)

    caught = []
    network.eval()
    hook = network.embedding.register_forward_hook(lambda m, args, out: caught.append(out) or out.retain_grad())
    plan = Plan(len(one.corpus.train), network.context, one.run.train.batch, one.run.seed)
    x_BT, y_BT, _ = fetch(one.corpus.train, plan, 1, plan.slots(1))
    (network(x_BT, None, targets_BT=y_BT) / y_BT.numel()).backward()
    hook.remove()
    grad = caught[0].grad
    assert grad is not None
    torch.testing.assert_close(torch.tensor(found.stream[0]), caught[0].detach().square().mean().sqrt())
    torch.testing.assert_close(torch.tensor(found.gradient[0]), grad.square().mean().sqrt(), rtol=1e-4, atol=0)


def test_the_factor_is_one_layer_s_share():
    assert abs(Flow([], [1.0, 2.0, 4.0, 8.0]).factor - 0.5) < 1e-9
    assert abs(Flow([], [8.0, 4.0, 2.0]).factor - 2.0) < 1e-9


def test_documents_are_kept_apart_where_the_training_keeps_them_apart():
    """Networks that were trained so were measured as if the text were one document."""
    one = trial(Cell("c"), data__documents="mask", model__layers=2, noise__rate=0.5)
    text = one.corpus.train
    short = data.Tokens(text.ids, np.arange(0, len(text), 5), text.num_bytes, text.lengths_V)
    one.corpus = one.corpus._replace(train=short)
    network = one.build()
    measured = {}
    for kept in ("mask", "join"):
        one.run = config.override(one.run, {"data.documents": kept})
        documents_BT = first_batch(one, network)[2]
        assert (documents_BT is not None) == (kept == "mask")
        logits, stream = scale.shift(one, network)
        measured[kept] = [*flow(one, network).stream, *deviation.shares(one, network)[0], logits, *stream]
    # What is embedded is the same, and so is the first number of a stream; of shares not even the first.
    same = [a == b for a, b in zip(measured["mask"], measured["join"], strict=True)]
    assert sum(same) <= 2 and len(same) > 10
