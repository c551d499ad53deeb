"""Healthy models of the library transformers, with random weights: all is measured, and nothing is called a fault."""

from __future__ import annotations

from pathlib import Path

import healthy
import hubs
import pytest
import torch

from mainstem import measure
from mainstem.measure.quantity import QUANTITIES

pytest.importorskip("transformers", reason="needs transformers, of the extra `integrations`")

pytestmark = pytest.mark.filterwarnings("ignore")  # what others warn of is theirs
ABSENT = {"resnet": {"attention_logit", "attention_entropy"}}
STREAM = {"swin": 2}  # its stages


@pytest.mark.parametrize("name", hubs.MODELS)
def test_a_healthy_model_has_every_number_and_no_fault_at_the_start_and_after_training(
    name: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model, given = hubs.MODELS[name](), hubs.batch(name)
    optimizer = healthy.optimizer(model)

    def steps(number: int) -> None:
        for _ in range(number):
            model(**given).loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    for before in (0, 48):
        steps(before)
        with measure.watch(model, optimizer=optimizer) as m:
            steps(2)
        assert len(m.taps().names("stream")) == STREAM.get(name, 4)
        assert [str(finding) for finding in m.diagnose()] == []
        assert set(m.results) == {kind.name for kind in QUANTITIES} - ABSENT.get(name, set())
        assert m.table().count("\n") >= len(m.results)
        for quantity in set(m.results) - {"noise_scale"}:  # inf, where the batch is too small to tell
            assert m.figure(quantity).write_html(tmp_path / "figure.html").stat().st_size > 1000
