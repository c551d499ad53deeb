"""Hugging Face's Trainer with the settings that its guide recommends for going on: hugging_face.py OUT.

`save_strategy="steps"`, `save_total_limit`, a seed, and `resume_from_checkpoint` with what `get_last_checkpoint` finds,
as its example scripts have it. It keeps the state of its generators and skips the batches that were seen.
"""

from __future__ import annotations

import sys
from pathlib import Path

from task import BATCH, EVERY, RATE, STEPS, Network, examples, threads
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint, set_seed


def main(out: Path) -> None:
    threads()
    set_seed(0)
    given = TrainingArguments(
        output_dir=str(out), max_steps=STEPS, per_device_train_batch_size=BATCH, learning_rate=RATE, seed=0,
        save_strategy="steps", save_steps=EVERY, save_total_limit=2, logging_steps=EVERY, report_to="none",
        disable_tqdm=True, use_cpu=True,
    )  # fmt: skip
    trainer = Trainer(model=Network(), args=given, train_dataset=examples())
    trainer.train(resume_from_checkpoint=get_last_checkpoint(out) if out.is_dir() else None)
    trainer.save_model(str(out / "model"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
