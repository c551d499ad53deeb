"""What keeps a watch from measuring, and layers that are called several times."""

import torch
from faulty import X8, X32, Layers, Projected, faults
from torch import nn

from mainstem import measure


def test_a_watch_that_saw_nothing_says_why():
    with measure.watch(Projected(False)) as m:
        pass
    assert "never called" in faults(m)["nothing measured"].evidence
    assert "Nothing was measured" in m.table()
    with measure.watch(Projected(False)) as m, torch.no_grad():
        m.model(X8)
    assert "no_grad" in faults(m)["no gradients"].evidence


def test_shared_layers_are_taps_of_their_own():
    layer = Layers.Layer(1.0, True)
    model = Layers(1.0)
    model.encoder = nn.ModuleList([layer, layer, layer, Layers.Layer(1.0, True)])
    with measure.watch(model) as m:
        model(X32).sum().backward()
    assert "`encoder.0` ran 3 times" in faults(m)["shared modules"].evidence
    assert list(m.results["stream"]) == ["input", "encoder.0", "encoder.0#2", "encoder.0#3", "encoder.3"]
