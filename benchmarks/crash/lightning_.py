"""Lightning with the settings that its guide recommends for going on: lightning_.py OUT.

`ModelCheckpoint(every_n_train_steps=..., save_last=True)`, `seed_everything(..., workers=True)`, `deterministic=True`
and `fit(..., ckpt_path="last")`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from safetensors.torch import save_file
from task import BATCH, EVERY, RATE, STEPS, Network, examples, threads
from torch.utils.data import DataLoader


class Module(lightning.LightningModule):
    """The network, with its loss and its optimizer."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network()

    def training_step(self, batch, _):
        return self.network(**batch)[0]

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=RATE)


def main(out: Path) -> None:
    threads()
    lightning.seed_everything(0, workers=True)
    keeps = ModelCheckpoint(dirpath=out, every_n_train_steps=EVERY, save_last=True)
    trainer = lightning.Trainer(
        max_steps=STEPS, callbacks=[keeps], logger=False, enable_progress_bar=False, enable_model_summary=False,
        accelerator="cpu", deterministic=True,
    )  # fmt: skip
    module = Module()
    trainer.fit(module, DataLoader(examples(), BATCH, shuffle=True), ckpt_path="last")
    save_file(module.network.state_dict(), out / "model.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
