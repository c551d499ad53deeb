"""Numbers that torch draws by the counter are distributed as torch's are."""

import pytest
import torch
from torch import nn

from mainstem import noise


class Numbers(nn.Module):
    def __init__(self, shape, dtype):
        super().__init__()
        self.shape, self.dtype = shape, dtype

    def forward(self):
        return torch.rand(self.shape, dtype=self.dtype), torch.rand(*self.shape, dtype=self.dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_numbers_between_0_and_1_are_uniform_and_all_different(dtype):
    model = Numbers((64, 501), dtype)
    noise.take_over(model)
    with noise.counter(seed=0, step=0, samples=range(64)):
        one, other = (x.double() for x in model())
    assert 0 <= one.min() and one.max() < 1 and not one.equal(other)
    kolmogorov = (one.flatten().sort().values - torch.linspace(0, 1, one.numel(), dtype=torch.float64)).abs().max()
    assert kolmogorov < 2 / one.numel() ** 0.5 + (0.005 if dtype.itemsize == 2 else 0)
    table = torch.cat([one, other], 1)
    near = torch.corrcoef(torch.stack([table[:, :-1].flatten(), table[:, 1:].flatten()]))[0, 1]
    assert near.abs() < 5 / one.numel() ** 0.5
    if dtype.itemsize > 2:
        assert len(table.unique()) > 0.99 * table.numel()
