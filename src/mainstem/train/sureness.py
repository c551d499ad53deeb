"""Whether a trained model is as sure as it is right, and how much its loss differs from window to window.

Shapes: B sequences, T positions, V tokens of the vocabulary, N targets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.batches import Window, held_out_windows, num_windows, spread
from ..measure.evaluate import error
from ..measure.quantity.calibration import calibration
from ..modes import evaluating
from .learner import Learner

_LOGITS = 1 << 22
"""Logits that are held at once."""


@torch.no_grad()
def sureness(learner: Learner, late: Callable[[], bool] = lambda: False) -> dict[str, Any] | None:
    """Return how sure the weights that the model holds now are on a sample of the held-out text, as JSON values.

    None where the time is needed for something else, or once ``late()`` is true.

    Returns:
        `ece`, the expected calibration error, and its `bins` (mean confidence, share right, number); `confidence`, the
        mean probability of the likeliest token, and `right`, how often that is the next one; `error`, the standard
        error of the loss in nats per token as that of other text like it, by windows; and how many `tokens` there were.
    """
    text, settings = learner.data.held_out, learner.run.evaluate
    context: int = learner.model.context  # type: ignore[assignment]
    vocabulary = learner.data.tokenizer.vocab_size
    which = spread(num_windows(text, context), max(2, -(-settings.tokens // context)))
    batch = max(1, _LOGITS // (context * vocabulary))
    found = []
    with evaluating(learner.model):
        for window in held_out_windows(text, context, learner.run.data.documents == "mask", which, batch):
            if late():
                return None
            found.append(_of(learner, window))
    confidence_N, right_N, nats_W, tokens_W = (torch.cat(parts) for parts in zip(*found, strict=True))
    sure = calibration(confidence_N, right_N)
    return {
        "tokens": len(right_N),
        "ece": sure.ece,
        "confidence": float(confidence_N.mean()),
        "right": float(right_N.mean()),
        "bins": [list(one) for one in sure.bins],
        "error": error(nats_W, tokens_W) if len(nats_W) > 1 else None,
    }


def _of(learner: Learner, window: Window) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return confidence and correctness of each target of a batch, and nats and number of targets of each window."""
    x_BT, y_BT, documents_BT, weight_BT = window
    place = learner.place
    documents_BT = None if documents_BT is None else place.take(documents_BT)
    with place.autocast():
        logits_BTV = learner.model(place.take(x_BT), documents_BT)
    log_BTV = F.log_softmax(logits_BTV.float(), -1).cpu()
    nats_BT = -log_BTV.gather(-1, y_BT[..., None].long())[..., 0].double() * weight_BT
    sure_BT, likeliest_BT = log_BTV.max(-1)
    there = weight_BT > 0
    right_N = (likeliest_BT == y_BT)[there].double()
    return sure_BT[there].double().exp(), right_N, nats_BT.sum(1), weight_BT.sum(1).double()
