"""What was reached, in words and a few numbers. May import its neighbours here."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .metrics import Evaluation, Metrics, number
from .source import Source, mapping
from .words import compact, count, duration, short

RISE = 0.01
"""Share of the best held-out loss that the last one must exceed it by, before the word overfits is used."""


@dataclass
class Headline:
    """Sentences, bars of bits per byte (name, bits, style), and tiles (label, value, what it is beside)."""

    status: str
    sentences: list[str] = field(default_factory=list)
    bars: list[tuple[str, float, str]] = field(default_factory=list)
    tiles: list[tuple[str, str, str]] = field(default_factory=list)


def headline(source: Source) -> Headline:
    """Return what stands on top of the page."""
    found = Headline(status(source))
    best = best_of(source)
    curves = source.metrics
    if best is None:
        seen = f"{count(curves.last_step)} steps" if curves.last_step else "no step yet"
        found.sentences.append(f"There is no held-out loss yet: metrics.jsonl has {seen}, and no held-out pass.")
    else:
        bits = f", {best.bits:.4f} bits per byte" if best.bits is not None else ""
        found.sentences.append(
            f"Held-out loss {best.nats:.4f} nats per token{bits}, reached at step {count(best.step)}"
            f"{f' of {count(curves.last_step)}' if curves.last_step > best.step else ''}."
        )
        found.sentences += [sentence for sentence in (_beside(source, best), overfitting(curves)) if sentence]
        found.bars = _bars(source, best)
    found.tiles = _tiles(source, best)
    return found


def status(source: Source) -> str:
    """Return how the run ended, if it has."""
    reason = source.fact("outcome").get("reason")
    patience = source.section("train").get("patience")
    if reason == "patience":
        return f"Stopped early, after {patience} evaluations without gain" if patience else "Stopped early"
    if reason == "steps":
        return "Finished all its steps"
    return "Not finished: still running, or interrupted"


def best_of(source: Source) -> Evaluation | None:
    """Return the best held-out pass: of the outcome where there is one, else of the curves."""
    outcome = source.fact("outcome")
    best, step = mapping(outcome.get("best")), number(outcome.get("best_step"))
    nats = number(best.get("nats_per_token"))
    if nats is None or step is None:
        return source.metrics.best
    return Evaluation(int(step), nats, number(best.get("bits_per_byte")), None)


def yardsticks(source: Source) -> dict[str, float]:
    """Return bits per byte of the yardsticks that were computed, by name."""
    known = {"unigram": "unigram_bpb", "lzma": "lzma_bpb"}
    values = {name: number(source.fact("yardsticks").get(key)) for name, key in known.items()}
    return {name: value for name, value in values.items() if value is not None}


def overfitting(curves: Metrics) -> str:
    """Return whether held-out loss rose again while the gap grew.

    >>> overfitting(Metrics())
    'There are too few held-out passes to tell whether it overfits.'
    """
    first, best, last = curves.first, curves.best, curves.last
    if first is None or best is None or last is None or curves.evaluations.rows < 3:
        return "There are too few held-out passes to tell whether it overfits."
    rise = last.nats - best.nats
    grew = None if best.gap is None or last.gap is None else last.gap - best.gap
    if rise >= RISE * abs(best.nats) and (grew is None or grew > 0):
        gap = f", while the gap to the training text grew from {short(best.gap or 0.0)} to {short(last.gap or 0.0)}"
        return (
            f"It overfits: after step {count(best.step)} held-out loss rose by {short(rise)} nats per token"
            f"{gap if grew is not None else ''}. The weights of step {count(best.step)} are the ones kept."
        )
    if last.gap is None:
        return "Held-out loss has not risen again, so there is no sign that it overfits."
    if first.gap is not None and last.gap > first.gap and last.gap > 0.1 * last.nats:
        return (
            f"The gap to the training text has grown to {short(last.gap)} nats per token, but held-out loss has not "
            "risen: it learns the training text by heart in part, and no harm shows yet."
        )
    more = " Held-out loss was lowest at the last pass, so more steps may help." if best.step == last.step else ""
    return f"It does not overfit: the gap to the training text is {short(last.gap)} nats per token.{more}"


def _beside(source: Source, best: Evaluation) -> str:
    found = yardsticks(source)
    if not found or best.bits is None:
        return ""
    words = {"unigram": "a unigram model", "lzma": "lzma with the training text at hand"}
    said = " and ".join(f"{words[name]} needs {value:.3f}" for name, value in found.items())
    name, least = min(found.items(), key=lambda item: item[1])
    change = 1 - best.bits / least if least > 0 else 0.0
    verdict = f"{abs(change):.0%} {'fewer' if change >= 0 else 'more'} than {name}"
    return f"On the same bytes {said}: this model needs {best.bits:.3f}, {verdict}."


def _bars(source: Source, best: Evaluation) -> list[tuple[str, float, str]]:
    if best.bits is None:
        return []
    others = sorted(yardsticks(source).items(), key=lambda item: item[1])
    return [("this model", best.bits, "held"), *((name, value, name) for name, value in others)]


def _tiles(source: Source, best: Evaluation | None) -> list[tuple[str, str, str]]:
    curves, tiles = source.metrics, []
    if best is not None and best.bits is not None:
        tiles.append(("Held-out", f"{best.bits:.3f}", "bits per byte"))
    if best is not None:
        tiles.append(("Perplexity", compact(math.exp(min(best.nats, 700.0))), "per token, held-out"))
    if curves.last is not None and curves.last.gap is not None:
        tiles.append(("Gap", f"{curves.last.gap:.3g}", "nats per token, last pass"))
    if (parameters := number(source.facts.get("num_parameters"))) is not None:
        tiles.append(("Parameters", compact(parameters), "numbers learned"))
    if curves.training_seconds > 0:
        tiles.append(("Speed", compact(curves.training_tokens / curves.training_seconds), "tokens per second"))
    seconds = number(source.fact("outcome").get("seconds"))
    seconds = seconds if seconds is not None else curves.seconds
    if seconds is not None:
        tiles.append(("Time", duration(seconds), f"{count(curves.last_step)} steps"))
    return tiles
