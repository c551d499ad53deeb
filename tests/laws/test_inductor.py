"""Two models through inductor, which compiles C++ and is therefore kept for `make inductor`."""

import pytest
import torch
from variants import NOISY, loss, shaken, small, tokens


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inductor imports what torch itself has deprecated
@pytest.mark.parametrize("residual", ["pre_norm", "hyper | value_residual"])
def test_inductor_draws_the_same_masks(residual):
    torch._dynamo.reset()
    model = shaken(small(residual, layers=2, rates=NOISY))
    compiled = torch.compile(model, backend="inductor", fullgraph=True)
    x = tokens(4, 8)
    for step in (4, 5):
        model.zero_grad()
        expected = loss(model, x, step=step)
        expected.backward()
        grads = {key: p.grad.clone() for key, p in model.named_parameters() if p.grad is not None}
        model.zero_grad()
        found = loss(compiled, x, step=step)
        found.backward()
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        for key, p in model.named_parameters():
            if key in grads:
                torch.testing.assert_close(p.grad, grads[key], rtol=1e-3, atol=1e-4, msg=lambda m, k=key: f"{k}: {m}")
