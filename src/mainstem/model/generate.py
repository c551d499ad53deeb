"""Text from a model, one token after another, drawn from the counter. May import counter and nn.

Shapes: V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .. import counter
from ..errors import BadInput
from ..nn import Cache
from .language_model import LanguageModel


def pick(logits_V: Tensor, uniform: float, temperature: float = 1.0, top_k: int | None = None) -> int:
    """Return the token at `uniform` of the distribution softmax(logits / temperature) over the `top_k` likeliest.

    Temperature 0 takes the likeliest.

    >>> pick(torch.tensor([0.0, 9.0]), 0.5, temperature=0)
    1
    """
    if temperature == 0:
        return int(logits_V.argmax())
    logits = logits_V.double() / temperature
    if top_k is not None and top_k < len(logits):
        floor = logits.topk(top_k).values[-1]
        logits = logits.masked_fill(logits < floor, -math.inf)
    upto = torch.softmax(logits, dim=0).cumsum(0)
    # The sum may end a rounding below 1; the last token with any weight takes what is left.
    return min(int(torch.searchsorted(upto, uniform * upto[-1], right=True)), int((upto < upto[-1]).sum()))


@torch.no_grad()
def generate(
    model: LanguageModel,
    tokens: Sequence[int],
    num_tokens: int,
    seed: int = 0,
    temperature: float = 1.0,
    top_k: int | None = None,
) -> Iterator[int]:
    """Yield `num_tokens` tokens that follow `tokens`; the n-th is a function of the seed, n and what came before.

    Keys and values of tokens already seen are cached; where the context is full, its later half begins a new one.
    """
    if not tokens:
        raise BadInput("the prompt has no tokens: give at least one character")
    if temperature < 0 or not math.isfinite(temperature):
        raise BadInput(f"temperature {temperature} is not a finite number of at least 0: 1 samples as the model says")
    if top_k is not None and top_k < 1:
        raise BadInput(f"top-k {top_k} leaves no token to choose: give at least 1, or leave it out")
    device = model.embedding.weight.device
    training = model.training
    model.eval()
    site = counter.site_id("sample-text", "")
    seen = list(tokens)[-model.context :]
    cache, new = Cache(), seen
    try:
        for number in range(num_tokens):
            if cache.length + len(new) > model.context:
                seen = seen[-max(1, model.context // 2) :]
                cache, new = Cache(), seen
            logits_BTV = model(torch.tensor([new], device=device), cache=cache)
            uniform = float(counter.uniforms(seed, site, 1, start=number))
            token = pick(logits_BTV[0, -1], uniform, temperature, top_k)
            seen, new = [*seen, token], [token]
            yield token
    finally:
        model.train(training)
