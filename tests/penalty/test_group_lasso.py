"""The group lasso: closed forms, groups that lie in several tensors, and exact zeros by every optimizer."""

import copy

import pytest
import torch
from variants import small, tokens

from mainstem import noise, optim, penalty
from mainstem.errors import BadInput
from mainstem.optim.units import shrunk, units
from mainstem.penalty import GroupLasso

MAKERS = {
    "sgd": lambda groups, **how: optim.SGD(groups, 0.1, **how),
    "adamw": lambda groups, **how: optim.AdamW(groups, 0.1, **how),
    "muon": lambda groups, **how: optim.Muon(groups, 0.1, 0.1, **how),
}


def model(**changes):
    return small("pre_norm", layers=2, heads=2, **changes)


def backward(network, seed=1):
    network.zero_grad()
    x = tokens(3, 8, seed=seed)
    with noise.counter(seed=0, step=seed, samples=range(3)):
        network(x, targets_BT=x.roll(-1, 1)).backward()


@pytest.mark.parametrize(("metric", "right"), [((1.0, 1.0), (2.4, 3.2)), ((1.0, 4.0), (2.456173, 3.790201))])
def test_a_step_is_the_closed_form_in_euclids_metric_and_the_root_in_another(metric, right):
    found = shrunk(torch.tensor([[3.0, 4.0]]).double(), torch.tensor([metric]).double(), 1.0)
    torch.testing.assert_close(found, torch.tensor([right]).double(), rtol=1e-6, atol=1e-6)
    assert not shrunk(torch.tensor([[0.6, 0.8]]), 1.0, 1.0).any()


def test_roots_are_found_to_the_last_bits_however_different_the_metric_is_within_a_group():
    torch.manual_seed(0)
    v, d = torch.randn(500, 30).double(), 10 ** (8 * torch.rand(500, 30).double() - 4)
    threshold = float((d * v).norm(dim=1).median())
    w = shrunk(v, d, threshold)
    alive = (d * v).norm(dim=1) > threshold
    assert (w.norm(dim=1) > 0).equal(alive) and 0 < alive.sum() < 500
    residual = (d * (w - v) + threshold * w / w.norm(dim=1, keepdim=True))[alive]
    assert (residual.norm(dim=1) / (d * v).norm(dim=1)[alive]).max() < 1e-9


@pytest.mark.parametrize(("over", "count", "size"), [("rows", 12, 24), ("columns", 24, 12)])
def test_rows_and_columns_of_a_matrix(over, count, size):
    network = model(hidden=24)
    (found,) = units(network, over, "blocks.1.feedforward.*.output.weight")
    assert (found.count, found.size) == (count, size)
    w = network.blocks[1].feedforward.branch.feedforward.output.weight
    norms = w.norm(dim=1 if over == "rows" else 0)
    term = GroupLasso(0.5, "blocks.1.feedforward.*.output.weight", over=over)
    torch.testing.assert_close(term(network), 0.5 * size**0.5 * norms.sum())
    step = term.prox(w.detach(), 0.1)
    threshold = 0.1 * 0.5 * size**0.5
    factor = (1 - threshold / norms).clamp(min=0)
    torch.testing.assert_close(step, w.detach() * (factor[:, None] if over == "rows" else factor))


@pytest.mark.parametrize("feedforward", ["relu2", "swiglu"])
def test_a_hidden_unit_is_its_rows_and_its_column(feedforward):
    network = model(hidden=24, feedforward=feedforward)
    layer = network.blocks[0].feedforward.branch.feedforward
    matrices = [layer.input.weight, layer.output.weight.t(), *([layer.gate.weight] if layer.gate else [])]
    norms = torch.cat(list(matrices), dim=1).norm(dim=1)
    size = 12 * len(matrices)
    term = GroupLasso(0.5, over="hidden", on="blocks.0.*")
    torch.testing.assert_close(term(network), 0.5 * size**0.5 * norms.sum())
    (found,) = units(network, "hidden", "blocks.0.*")
    flat = found.flat(found.params)
    assert flat.shape == (24, size)
    assert all(a.equal(b) for a, b in zip(found.parts(flat), found.params, strict=True))


@pytest.mark.parametrize("kv_heads", [4, 2])
def test_a_head_is_its_rows_of_queries_keys_and_values_and_its_columns_of_the_output(kv_heads):
    network = small("pre_norm", layers=1, width=16, heads=4, kv_heads=kv_heads)
    layer = network.blocks[0].attention.branch.attention
    (found,) = units(network, "heads")
    assert found.count == kv_heads
    flat, each = found.flat(found.params), 4 // kv_heads * 4
    for g in range(kv_heads):
        own = [layer.query.weight[g * each : (g + 1) * each], layer.key.weight[4 * g : 4 * g + 4]]
        own += [layer.value.weight[4 * g : 4 * g + 4], layer.output.weight[:, g * each : (g + 1) * each]]
        torch.testing.assert_close(flat[g].norm(), torch.cat([w.flatten() for w in own]).norm())


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("over", ["hidden", "heads", "rows", "columns"])
def test_an_optimizer_takes_the_minimum_in_the_metric_of_each_part(name, over):
    """From the same optimizer's step without it: no other place is better, and some units are exactly zero."""
    stepped = model(hidden=24).double()
    on = "attention" if over == "heads" else "feedforward"
    term = GroupLasso(0.01 if over == "heads" else 0.02, on, over=over).begin(stepped)
    made = MAKERS[name](optim.groups(stepped, decay=0.1), proximal=term)
    backward(stepped)
    made.step()
    plain = copy.deepcopy(stepped)
    other = MAKERS[name](optim.groups(plain, decay=0.1))
    other.load_state_dict(copy.deepcopy(made.state_dict()))
    for network, optimizer in ((stepped, made), (plain, other)):
        backward(network, 2)
        optimizer.step()
    group_of = {id(p): group for group in other.param_groups for p in group["params"]}
    zeros, alive = 0, 0
    for mine, theirs in zip(units(stepped, over, on), units(plain, over, on), strict=True):
        force = []
        for p in theirs.params:
            group = group_of[id(p)]
            direction = other.methods[group["method"]]
            d = direction.metric(other.state[p], group)
            force.append(
                (d if isinstance(d, torch.Tensor) else torch.full_like(p, d)) / (0.1 * direction.size(p, group))
            )
        d, v, w = mine.flat(force), theirs.flat(theirs.params), mine.flat(mine.params)
        threshold = term.coef * mine.size**0.5
        for row in range(mine.count):
            if (w[row] == 0).all():
                zeros += 1
                assert (d[row] * v[row]).norm() <= threshold * (1 + 1e-9)
            else:
                alive += 1
                torch.testing.assert_close(d[row] * (v[row] - w[row]), threshold * w[row] / w[row].norm())
    assert zeros + alive > 3 and alive
    taken = {id(p) for each in units(stepped, over, on) for p in each.params}
    for p, q in zip(stepped.parameters(), plain.parameters(), strict=True):
        assert id(p) in taken or p.equal(q)


@pytest.mark.parametrize("name", MAKERS)
def test_units_become_exactly_zero_and_stay_there_and_as_a_term_of_the_loss_none_does(name):
    dead = []
    for proximal in (True, False):
        network = model(hidden=24)
        term = GroupLasso(0.05, over="hidden").begin(network)
        made = MAKERS[name](optim.groups(network, decay=0.0), **({"proximal": term} if proximal else {}))
        for seed in range(30):
            backward(network, seed)
            if not proximal:
                term(network).backward()
            made.step()
        dead.append(sum(int((each.flat(each.params) == 0).all(1).sum()) for each in units(network, "hidden")))
    assert dead[0] > 0 == dead[1]


def test_groups_that_are_not_there_or_not_whole_are_refused():
    network = model()
    with pytest.raises(BadInput, match="over 'units' of GroupLasso is no kind of group: use rows, columns"):
        GroupLasso(0.1, over="units")
    with pytest.raises(BadInput, match=r"No heads of this model lie whole in what on 'attention\.query' selects"):
        GroupLasso(0.1, "attention.query", over="heads").begin(network)
    with pytest.raises(BadInput, match=r"does not know its groups: give its begin\(model\)"):
        optim.AdamW(optim.groups(network), proximal=GroupLasso(0.1, over="hidden"))
    term = GroupLasso(0.1, over="hidden").begin(network)
    network.blocks[0].feedforward.branch.feedforward.input.weight.requires_grad_(False)
    made = optim.AdamW(optim.groups(network), lr=0.1, proximal=term)
    backward(network)
    with pytest.raises(BadInput, match=r"takes blocks\.0\.feedforward.*\.hidden as a whole, and only some"):
        made.step()


def test_two_proximal_steps_that_claim_one_tensor_are_refused():
    network = model()
    both = [optim.Proximal(penalty.L1(0.1, on="feedforward")), optim.Proximal(penalty.L2(0.1, on="*.input.weight"))]
    with pytest.raises(BadInput, match=r"input\.weight is claimed by two proximal steps, L1\(.*L2\(.*elastic_net"):
        optim.AdamW(optim.groups(network), after=both)
    apart = [optim.Proximal(penalty.L1(0.1, on="feedforward")), optim.Proximal(penalty.L2(0.1, on="attention"))]
    assert len(optim.AdamW(optim.groups(network), after=apart).after) == 2


@pytest.mark.parametrize("over", ["rows", "columns"])
def test_a_scalar_is_one_group(over):
    model = torch.nn.Module()
    model.gain = torch.nn.Parameter(torch.tensor(5.0))
    model.gain.grad = torch.zeros(())
    term = GroupLasso(1.0, on="gain", over=over).begin(model)
    optim.SGD(optim.groups(model, decay=0.0), 0.5, proximal=term).step()
    assert model.gain.shape == () and model.gain.item() == 4.5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_step_in_half_precision_is_that_of_wide_numbers_rounded(dtype):
    torch.manual_seed(0)
    v = torch.randn(64, 32).to(dtype)
    metric = (10 ** torch.empty(64, 32).uniform_(-3, 0)).to(dtype)
    threshold = 0.5 * float(torch.linalg.vector_norm(metric.double() * v.double(), dim=1).median())
    right = shrunk(v.double(), metric.double(), threshold)
    torch.testing.assert_close(shrunk(v, metric, threshold).double(), right, rtol=torch.finfo(dtype).eps, atol=1e-6)
