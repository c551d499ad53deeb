"""Text that a trained model writes, for samples.json and the end of a run."""

from __future__ import annotations

from typing import Any

from .. import config, counts, data
from ..model import Network
from ..model.generate import generate_rows

_PROMPT, _LENGTH = 24, 120


def drawn(
    model: Network, corpus: data.Corpus, seed: int, prior: counts.Prior | None = None, number: int = 3
) -> list[dict[str, Any]]:
    """Return text that `model` writes after beginnings from the held-out part, evenly spread over it.

    With `prior` it is drawn from the mixture of both.
    """
    length = min(_PROMPT, model.context, len(corpus.held_out))
    starts = [index * max(0, len(corpus.held_out) - length) // number for index in range(number)]
    prompts = [[int(token) for token in corpus.held_out.ids[start : start + length]] for start in starts]
    seeds = [seed + index for index in range(number)]
    how = config.Sampling()
    mixed = None if prior is None else prior.mixed
    columns = generate_rows(model, prompts, _LENGTH, seeds, how.temperature, how.top_k, mixed)
    found = []
    for prompt, made, own in zip(prompts, zip(*columns, strict=True), seeds, strict=True):
        text = data.tokenizer.Whole(corpus.tokenizer)
        said = {"prompt": text(prompt).lstrip("\ufffd"), "text": text(made)}  # a window may begin within a character
        found.append({**said, "seed": own, "temperature": how.temperature, "top_k": how.top_k})
    return found
