"""Takes steps of every optimizer on two processes under FSDP2, and says which are those of plain parameters.

`processes.two` starts it. Both processes have the same samples, so that parameters that are not spread have the same
gradients. Prints a line a case, `equal` or what differs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from mainstem import optim, penalty
from mainstem.optim.averaging import Average


class Grouped:
    """Makes an optimizer with a group lasso over the rows or columns of the model that is trained."""

    model: nn.Module

    def __init__(self, maker: Callable[..., torch.optim.Optimizer], over: Any, **options: Any) -> None:
        self.maker, self.over, self.options = maker, over, options

    def __call__(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        term = penalty.GroupLasso(2e-3, over=self.over).begin(self.model)
        return self.maker(groups, lr=0.05, proximal=term, **self.options)


AFTER = [optim.MaxNorm(0.5, on="*2.weight")]
MAKERS: dict[str, Callable[[list[dict[str, Any]]], torch.optim.Optimizer]] = {
    "adamw": lambda groups: optim.AdamW(groups, lr=0.05),
    "muon": lambda groups: optim.Muon(groups, lr=0.05, roles=("linear",)),
    "sgd": lambda groups: optim.SGD(groups, lr=0.05, momentum=0.9),
    "adamw, proximal, max norm": lambda groups: optim.AdamW(groups, lr=0.05, proximal=penalty.L1(1e-2), after=AFTER),
    "muon, proximal, max norm": lambda groups: optim.Muon(
        groups, lr=0.05, roles=("linear",), proximal=penalty.L1(1e-2), after=AFTER
    ),
    "adamw, rows": Grouped(optim.AdamW, "rows"),
    "muon, columns": Grouped(optim.Muon, "columns", roles=("linear",)),
    "adamw, cautious": lambda groups: optim.AdamW(groups, lr=0.05, before=[optim.Cautious()]),
    "muon, cautious": lambda groups: optim.Muon(groups, lr=0.05, roles=("linear",), before=[optim.Cautious()]),
    "adamw, sam": lambda groups: optim.AdamW(groups, lr=0.05, around=optim.SAM(0.3)),
    "sgd, asam": lambda groups: optim.SGD(groups, lr=0.05, momentum=0.9, around=optim.ASAM(0.3)),
    "muon, sam, in float64": lambda groups: optim.Muon(groups, lr=0.05, roles=("linear",), around=optim.SAM(0.3)),
    "muon, asam, in float64": lambda groups: optim.Muon(groups, lr=0.05, roles=("linear",), around=optim.ASAM(0.3)),
    "torch's sgd": lambda groups: torch.optim.SGD([{"params": g["params"]} for g in groups], lr=0.05),
}
SHARDED = {"all": lambda model: [fully_shard(part) for part in (*model, model)], "some": lambda m: fully_shard(m[2])}


def net() -> nn.Sequential:
    """Return a model of which no dimension is a multiple of the processes."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3), nn.LayerNorm(3))


def train(model: nn.Module, make: Any) -> list[Tensor]:
    """Return weights, averages and norms after three steps."""
    if isinstance(make, Grouped):
        make.model = model
    optimizer, average, norms = make(optim.groups(model, decay=0.1)), Average(model, decay=0.1), []
    for seed in range(3):
        backward(model, seed)
        if getattr(optimizer, "around", None) is not None:
            with optimizer.perturbed():
                optimizer.zero_grad()
                backward(model, seed)
        norms.append(optim.update(optimizer, model, 0.05, average))
        optimizer.zero_grad()
    averages = [value for name, value in average.state().items() if name in dict(model.named_parameters())]
    return [full(value) for value in (*model.parameters(), *averages, *norms)]


def backward(model: nn.Module, seed: int) -> None:
    torch.manual_seed(seed)
    dtype = next(model.parameters()).dtype
    model(torch.randn(4, 5).to(dtype)).logsumexp(-1).square().mean().backward()


def full(tensor: Any) -> Tensor:
    found: Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return found.detach()


def check(make: Any, shard: Any) -> None:
    compare(make, shard, torch.float32, 2e-6)


def check_exactly(make: Any, shard: Any) -> None:
    """Muon multiplies a direction in which a gradient is nothing but rounding by up to 3.4445^5 = 485, and behind a
    layer norm there is one: after three steps 4e-6 in float32, where a second gradient is summed in another order."""
    compare(make, shard, torch.float64, 1e-11)


def compare(make: Any, shard: Any, dtype: torch.dtype, near: float) -> None:
    plain, spread = net().to(dtype), net().to(dtype)
    shard(spread)
    right, found = train(plain, make), train(spread, make)
    assert float(right[-1]) > 0.05  # it clips
    torch.testing.assert_close(found, right, rtol=min(near, 1e-6), atol=near)


def check_idle(make: Any, shard: Any) -> None:
    """A step with rate 0 is remembered by all processes or by none: here only the first has a gradient at all."""
    model = copy.deepcopy(net())
    shard(model)
    optimizer = make(optim.groups(model))
    model(torch.ones(1, 5)).sum().backward()
    for p in model.parameters():
        p.grad.zero_()
    if dist.get_rank() == 0:
        model[2].weight.grad.to_local().fill_(1.0)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    optimizer.step()
    counts = [state["step"] for state in optimizer.state.values() if "step" in state]
    total = torch.stack(counts).sum()
    dist.all_reduce(total)
    assert total == 2 * len(counts), f"{total} steps counted of {2 * len(counts)}"


def check_halves(make: Any, shard: Any) -> None:
    """The norm of what is spread in float16 is in float32, beside what is not: 3e4 fifteen times, 2e4 four times, 7."""
    from torch.distributed.tensor import Shard, distribute_tensor

    mesh = init_device_mesh("cpu", (2,))
    whole = [torch.full((5, 3), 3e4, dtype=torch.float16), torch.full((4,), 2e4, dtype=torch.float16)]
    spread = [distribute_tensor(tensor, mesh, [Shard(0)]) for tensor in whole]
    norm = optim.sharded.norm([*spread, torch.full((1,), 7.0)])
    assert norm.dtype == torch.float32
    right = torch.tensor((15 * 3e4**2 + 4 * 2e4**2 + 49) ** 0.5)
    torch.testing.assert_close(norm, right, rtol=1e-6, atol=0)


def main() -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    init_device_mesh("cpu", (2,))
    cases = {
        f"{name}, {how}": (check_exactly if name.endswith("float64") else check, make, shard)
        for name, make in MAKERS.items()
        for how, shard in SHARDED.items()
    }
    cases["idle"] = (check_idle, MAKERS["adamw"], SHARDED["all"])
    cases["halves"] = (check_halves, None, None)
    for name, (run, make, shard) in cases.items():
        try:
            run(make, shard)
        except (AssertionError, RuntimeError, ValueError, NotImplementedError) as error:
            print(f"{name}: {type(error).__name__} {error}".replace("\n", " ")[:300])
        else:
            print(f"{name}: equal")
    dist.destroy_process_group()
    print("end: equal")


if __name__ == "__main__":
    main()
