"""A plain loop that saves as PyTorch's recipe "Saving and loading a general checkpoint" has it.

plain.py OUT [--careful]: torch.save of the epoch, the weights, the optimizer's state and the loss into one file, at the
end of each pass. With --careful the state of the generator is in it too, and the file gets its name once it is whole.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from task import BATCH, RATE, SEQUENCES, STEPS, Network, examples, threads
from torch.utils.data import DataLoader


def main(out: Path, careful: bool) -> None:
    threads()
    torch.manual_seed(0)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "checkpoint.pt"
    model = Network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    epoch = 0
    if path.exists():
        saved = torch.load(path)  # noqa: TID251 - the recipe that is tried
        model.load_state_dict(saved["model_state_dict"])
        optimizer.load_state_dict(saved["optimizer_state_dict"])
        epoch = saved["epoch"] + 1
        if careful:
            torch.set_rng_state(saved["generator"])
    loader = DataLoader(examples(), BATCH, shuffle=True)
    model.train()
    for number in range(epoch, STEPS * BATCH // SEQUENCES):
        for batch in loader:
            loss, _ = model(**batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        state = {
            "epoch": number, "model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict(),
            "loss": loss.item(),
        }  # fmt: skip
        if careful:
            state["generator"] = torch.get_rng_state()
            torch.save(state, out / "checkpoint.new")  # noqa: TID251 - the recipe that is tried
            os.replace(out / "checkpoint.new", path)
        else:
            torch.save(state, path)  # noqa: TID251 - the recipe that is tried
        print(f"epoch {number}: {loss.item():.4f}", flush=True)
    save_file(model.state_dict(), out / "model.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--careful" in sys.argv[2:])
