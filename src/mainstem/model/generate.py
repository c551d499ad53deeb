"""Text from a model, one token after another, drawn from the counter.

Shapes: B texts, T positions, V vocabulary.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import counter
from ..errors import BadInput
from ..modes import evaluating
from ..nn import Cache
from .build import Network


def pick(logits_V: Tensor, uniform: float, temperature: float = 1.0, top_k: int | None = None) -> int:
    """Return the token at `uniform` of the distribution softmax(logits / temperature) over the `top_k` likeliest.

    Temperature 0 and a `top_k` of 1 take the likeliest; of equal ones those with the lowest numbers are the likelier.

    Example:
        >>> pick(torch.tensor([0.0, 9.0]), 0.5, temperature=0)
        1
    """
    if temperature == 0 or top_k == 1:
        return int(logits_V.argmax())
    logits = logits_V.cpu().double()  # MPS has no float64
    if top_k is not None and top_k < len(logits):
        logits = logits.masked_fill(~_likeliest(logits, top_k), -math.inf)
    logits = (logits - logits.max()) / temperature  # no temperature takes the likeliest out of what a number can be
    upto = torch.softmax(logits, dim=0).cumsum(0)
    # The sum may end a rounding below 1; the last token with any weight takes what is left.
    return min(int(torch.searchsorted(upto, uniform * upto[-1], right=True)), int((upto < upto[-1]).sum()))


def _likeliest(logits_V: Tensor, count: int) -> Tensor:
    """Return which tokens are the `count` likeliest, of equal ones those with the lowest numbers."""
    floor = logits_V.topk(count).values[-1]
    above, equal = logits_V > floor, logits_V == floor
    return above | (equal & (equal.cumsum(0) <= count - above.sum()))


Mixed = Callable[[NDArray[Any], Sequence[int]], NDArray[np.float64]]
"""From the network's log-probabilities of the next token [V] and all tokens before it to those that are drawn from."""


def generate(
    model: Network,
    tokens: Sequence[int],
    num_tokens: int,
    seed: int = 0,
    temperature: float = 1.0,
    top_k: int | None = None,
    mixed: Mixed | None = None,
) -> Iterator[int]:
    """Return `num_tokens` tokens that follow `tokens`; the n-th is a function of the seed, n and what came before.

    Keys and values of tokens already seen are cached; where the context is full, its later half begins a new one. With
    `mixed`, such as `counts.Prior.mixed`, tokens are drawn from what that makes of the network's log-probabilities:
    temperature and `top_k` come behind it. Of a prompt longer than the context the network sees the end alone, which a
    warning says.
    """
    if remark := cut(model, tokens):
        warnings.warn(remark, stacklevel=2)
    return (token for (token,) in generate_rows(model, [tokens], num_tokens, [seed], temperature, top_k, mixed))


def cut(model: Network, tokens: Sequence[int]) -> str:
    """Return a warning where the network sees the end of the prompt alone, as it exceeds the context; else nothing."""
    if len(tokens) <= model.context:
        return ""
    return (
        f"the prompt has {len(tokens):,} tokens, more than the context of {model.context:,}: the network sees the last "
        f"{model.context:,} of them alone"
    )


@torch.no_grad()
def generate_rows(
    model: Network,
    rows: Sequence[Sequence[int]],
    num_tokens: int,
    seeds: Sequence[int],
    temperature: float = 1.0,
    top_k: int | None = None,
    mixed: Mixed | None = None,
) -> Iterator[list[int]]:
    """Yield the next token of each of several texts, `num_tokens` times, as `generate` does of one with its seed.

    The `rows` are beginnings of one length. A small model takes about as long for a few of them as for one.
    """
    texts = [[int(token) for token in row] for row in rows]  # of arrays and tensors too
    if not all(texts):
        raise BadInput("The prompt has no tokens: give at least one character.")
    if len({len(row) for row in texts}) > 1:
        raise BadInput(
            f"Prompts of {sorted({len(row) for row in texts})} tokens do not go together: give equal lengths."
        )
    if temperature < 0 or not math.isfinite(temperature):
        raise BadInput(f"temperature {temperature} is not a finite number of at least 0: 1 samples as the model says.")
    if top_k is not None and top_k < 1:
        raise BadInput(f"top-k {top_k} leaves no token to choose: give at least 1, or leave it out.")
    device = next(model.parameters()).device
    if device.type == "meta":
        raise BadInput("The model is on meta, where weights have no numbers, and texts are on cpu: load its weights.")
    seen = [row[-model.context :] for row in texts]
    cache, new = Cache(), seen
    with evaluating(model):
        for number in range(num_tokens):
            if number % _DRAWN == 0:
                drawn = [_uniforms(seed, number, min(_DRAWN, num_tokens - number)) for seed in seeds]
            if cache.length + len(new[0]) > model.context:
                seen = [row[-max(1, model.context // 2) :] for row in seen]
                cache, new = Cache(), seen
            logits_BTV = model(torch.tensor(new, device=device), cache=cache)
            chances = [own[number % _DRAWN] for own in drawn]
            logits_BV = [
                logits_V if mixed is None else _mixed(mixed, logits_V, before)
                for logits_V, before in zip(logits_BTV[:, -1], texts, strict=True)
            ]
            made = [pick(logits, chance, temperature, top_k) for logits, chance in zip(logits_BV, chances, strict=True)]
            new = [[token] for token in made]
            seen = [row + own for row, own in zip(seen, new, strict=True)]
            for text, token in zip(texts, made, strict=True):
                text.append(token)
            yield made


def _mixed(mixed: Mixed, logits_V: Tensor, before: Sequence[int]) -> Tensor:
    network_V = torch.log_softmax(logits_V.float().cpu().double(), dim=0).numpy()
    return torch.from_numpy(mixed(network_V, before))


_DRAWN = 256
"""Numbers drawn at once."""


def _uniforms(seed: int, start: int, count: int) -> list[float]:
    drawn: list[float] = counter.uniforms(seed, counter.site_id("sample-text", ""), count, start=start).tolist()
    return drawn
