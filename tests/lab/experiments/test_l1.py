"""L1: both proximal steps against their minimisation, and shares of zeros and pruning against known matrices."""

import lab
import pytest
import torch

from mainstem import optim
from mainstem.lab.experiments import l1
from mainstem.lab.result import Results


def test_each_trial_has_finite_numbers_and_figures_show_them():
    found = lab.finite(l1.EXPERIMENT)
    for numbers in found.values():
        assert set(numbers) == {"held_out", "train", "gap", "zeros", "near", "below", "pruned", "pruned_most"}
        assert len(numbers["pruned"]) == len(l1.PRUNED)
        assert len(numbers["below"]) == len(l1.EDGES)
        assert numbers["below"] == sorted(numbers["below"])
    figures = lab.drawn(l1.EXPERIMENT, found)
    assert [len(figure.lines) for figure in figures] == [3, 3, 4, 4]


def test_figures_over_strength_have_a_point_for_each_coef_and_no_l1_as_a_level_line():
    zeros = {cell.name: i / 100 for i, cell in enumerate(l1.EXPERIMENT.cells)}
    trials = {name: {0: {"zeros": value, "held_out": value}} for name, value in zeros.items()}
    for figure in l1.figures(Results(l1.EXPERIMENT, [0], trials))[:2]:
        lines = {line.name: line.points for line in figure.lines}
        assert lines[l1.NONE] == [(l1.COEFS[0], zeros[l1.NONE]), (l1.COEFS[-1], zeros[l1.NONE])]
        for arm in (l1.PENALTY, l1.PROX):
            assert lines[arm] == [(coef, zeros[l1.name(arm, coef)]) for coef in l1.COEFS]


def test_an_arm_has_one_colour_in_all_figures():
    numbers = {"zeros": 0.0, "held_out": 2.0, "below": [0.0], "pruned": [2.0]}
    trials = {cell.name: {0: numbers} for cell in l1.EXPERIMENT.cells}
    seen = {}
    for figure in l1.figures(Results(l1.EXPERIMENT, [0], trials)):
        for line in figure.lines:
            assert seen.setdefault(line.name, line.style) == line.style


@pytest.mark.parametrize("coef", l1.COEFS)
def test_cells_have_the_strength_of_their_name(coef):
    (term,) = lab.trial(lab.named(l1.EXPERIMENT, l1.name(l1.PENALTY, coef))).run.penalty
    assert term.coef == coef
    assert lab.named(l1.EXPERIMENT, l1.name(l1.PROX, coef)).at == {"step": "adam", "coef": coef}


def test_a_stronger_step_makes_more_zeros():
    settings = {"train__steps": 30, "optim__lr": 0.01}
    found = [l1.trial(lab.trial(lab.named(l1.EXPERIMENT, l1.name(l1.PROX, coef)), **settings))["zeros"]
             for coef in l1.COEFS[1::2]]  # fmt: skip
    assert found[1] > found[0] + 0.01


def test_soft_is_the_smallest_value_of_its_objective():
    v, grid = torch.linspace(-2, 2, 41, dtype=torch.float64), torch.linspace(-3, 3, 6001, dtype=torch.float64)
    for threshold in (0.0, 0.1, 0.7):
        objective = (grid[None] - v[:, None]).square() / 2 + threshold * grid.abs()[None]
        best = grid[objective.argmin(dim=1)]
        assert (l1.soft(v, threshold) - best).abs().max() < 1e-3


def stepped(maker, coef):
    """Return (v, w, metric, lr) of every matrix at the last of a few steps, and whether the rest was left alone."""
    trial = lab.trial(lab.named(l1.EXPERIMENT, l1.NONE), train__steps=4, optim__lr=0.01)
    after = maker(trial, coef)
    found = {}

    def watched(step, network):
        matrices = optim.select(network)
        before = {name: w.detach().clone() for name, w in network.named_parameters()}
        after(step, network)
        rest = [n for n, w in network.named_parameters() if n not in matrices and not torch.equal(w, before[n])]
        assert rest == []
        held = trial.optimizer.state
        for group in trial.optimizer.param_groups:
            for w, name in zip(group["params"], group["names"], strict=True):
                if name in matrices:
                    second = held[w]["exp_avg_sq"].double() / (1 - 0.95**step)
                    found[name] = (before[name].double(), w.detach().double(), second.sqrt() + 1e-8, group["lr"])

    # The last step of a schedule has the rate 0, at which nothing moves.
    trial.limit = 3
    trial.train(after_step=watched)
    return found.values()


def test_the_step_in_adams_metric_meets_the_conditions_of_its_minimum():
    coef, zeros = 1e-2, 0
    for v, w, metric, lr in stepped(l1.adam_prox, coef):
        assert lr > 0
        force = metric * (v - w) / lr
        moved = w != 0
        torch.testing.assert_close(force[moved], coef * w[moved].sign(), rtol=1e-3, atol=1e-6)
        assert bool((force[~moved].abs() <= coef * 1.0001).all())
        zeros += int((~moved).sum())
    assert zeros > 0


def test_the_decoupled_step_ignores_the_metric():
    for v, w, _, lr in stepped(l1.plain_prox, 0.5):
        torch.testing.assert_close(w, v.sign() * (v.abs() - 0.5 * lr).clamp(min=0), rtol=1e-4, atol=1e-7)
        assert bool((w == 0).any())


def test_shares_of_a_known_matrix():
    sizes = torch.tensor([0.0, 0.0, 0.0, 1e-4, 0.5])
    assert l1.share_below(sizes, 0.0) == pytest.approx(0.6)
    assert l1.share_below(sizes, l1.NEAR) == pytest.approx(0.8)


def test_pruning_takes_the_smallest_of_all_matrices_together():
    one, other = torch.tensor([[0.1, -4.0]]), torch.tensor([3.0, -0.2, 5.0, 0.3])
    l1.prune([one, other], 0.5)
    assert one.tolist() == [[0.0, -4.0]]
    assert other.tolist() == [3.0, 0.0, 5.0, 0.0]


def test_pruning_is_undone_and_pruning_nothing_changes_nothing():
    trained = lab.trial(lab.named(l1.EXPERIMENT, l1.NONE), train__steps=20, optim__lr=0.02).train()
    before = [w.detach().clone() for w in trained.model.parameters()]
    found = l1.after_pruning(trained)
    assert all(torch.equal(w, own) for w, own in zip(trained.model.parameters(), before, strict=True))
    assert found[0] == trained.losses_of(64)["held_out"]
    assert found[-1] > found[0]


def test_a_penalty_leaves_no_zero_and_the_step_many():
    settings = {"train__steps": 30, "optim__lr": 0.01}
    found = {name: l1.trial(lab.trial(lab.named(l1.EXPERIMENT, name), **settings)) for name in (l1.PENALTY, l1.PROX)}
    assert found[l1.PENALTY]["zeros"] == 0
    assert found[l1.PROX]["zeros"] > 0.01
