"""What losses show over time."""

from faulty import X8, Projected, faults

from mainstem import measure


def test_overfitting_says_where_it_began():
    def curves(held):
        with measure.watch(Projected(False)) as m:
            m.model(X8).sum().backward()
            for index, loss in enumerate(held):
                m.loss(200 * (index + 1), 2.0 - 0.05 * index, loss)
        return faults(m)

    fell = [3.0 - 0.1 * i for i in range(17)]
    found = curves([*fell, *(1.4 + 0.02 * i for i in range(1, 10))])["overfitting"]
    assert "held-out loss rose for 9 evaluations" in found.evidence
    assert "overfitting began at step 3,400" in found.evidence
    assert curves(fell) == {}
    assert curves([*fell, 1.41]) == {}


def test_a_loss_below_0_that_stands_still_has_not_risen():
    """As of densities; 0.5% of it is a step down there."""
    with measure.watch(Projected(False)) as m:
        m.model(X8).sum().backward()
        for index, held in enumerate([-1.0, -2.0, -2.0, -2.0, -2.0, -2.0]):
            m.loss(index, -1.0 - index, held)
    assert faults(m) == {}
    m.loss(6, -8.0, -1.9)
    assert "held-out loss rose for 5 evaluations" in faults(m)["overfitting"].evidence
