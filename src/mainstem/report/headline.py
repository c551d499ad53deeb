"""What was reached, in words and a few numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ..draw.words import compact, count, duration, short
from ..runs.metrics import number
from ..runs.score import BITS, NATS, Score
from ..wording import fixed, several
from .metrics import Evaluation, Gap, Metrics, evaluation
from .mixture import mixture, offered
from .source import Source, mapping

RISE = 0.01
"""Share of the best held-out loss that the last one must exceed it by, before the word overfits is used."""

YARDSTICKS = {
    "unigram": "a unigram model needs",
    "counts": "counts of the training text need",
    "adaptive": "counts that go on in the held-out text need",
}
"""What a sentence says of each; names in facts.json begin with these, and they are names of styles."""


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
    curves, score = source.metrics, source.score
    if best is None:
        seen = several(curves.last_step, "step") if curves.last_step else "no step yet"
        found.sentences.append(f"There is no {score.title} yet: metrics.jsonl has {seen}, and no held-out pass.")
    else:
        bits = f", {fixed(best.bits, '.4f')} {BITS.unit}" if best.bits is not None else ""
        error = f" ± {short(best.error)}" if best.error is not None else ""
        sample = " The ± is a standard error, as a sample of the held-out part was measured." if error else ""
        found.sentences.append(
            f"{title(score)} {fixed(best.value, '.4f')}{error} {score.unit}{bits}, reached at step {count(best.step)}"
            f"{f' of {count(curves.last_step)}' if curves.last_step > best.step else ''}.{sample}"
        )
        if (both := mixture(source)) is not None:
            found.sentences.append(both.sentence)
        more = (
            _beside(source, best),
            *_remarks(source),
            overfitting(curves, gap_of(source), source.data),
            _start(source),
        )
        found.sentences += [sentence for sentence in more if sentence]
        found.bars = _bars(source, best)
    found.tiles = _tiles(source, best)
    return found


def title(score: Score) -> str:
    """Return what a score is called, as a sentence begins."""
    return score.title[:1].upper() + score.title[1:]


def status(source: Source) -> str:
    """Return how the run ended, if it has."""
    reason = source.fact("outcome").get("reason")
    patience = number(source.section("train").get("patience"))
    if reason == "patience":
        return f"Stopped early, after {several(patience, 'evaluation')} without gain" if patience else "Stopped early"
    if reason == "pruned":
        return "Stopped early, as a listener asked for it"
    if reason == "steps":
        return "Finished all its steps"
    return "Not finished: still running, or interrupted"


def best_of(source: Source) -> Evaluation | None:
    """Return the best held-out pass: of the outcome where there is one, else of the curves."""
    outcome = source.fact("outcome")
    step = number(outcome.get("best_step"))
    found = None if step is None else evaluation(int(step), mapping(outcome.get("best")), source.score)
    return source.metrics.best if found is None else found


def gap_of(source: Source) -> Gap | None:
    """Return the gap at the end: of the outcome, which may be over more text, where its weights are the last ones."""
    best, last = best_of(source), source.metrics.last
    if best is not None and best.gap is not None and (last is None or last.step == best.step):
        return best.gap
    return None if last is None else last.gap


def yardsticks(source: Source) -> dict[str, float]:
    """Return bits per byte of the yardsticks that were computed, by name; of counts, the better unit's."""
    values = {name: number(value) for name, value in source.fact("yardsticks").items() if name.endswith("_bpb")}
    known = {kind: [value for name, value in values.items() if name.startswith(kind) and value is not None]
             for kind in YARDSTICKS}  # fmt: skip
    return {kind: min(some) for kind, some in known.items() if some}


def overfitting(curves: Metrics, gap: Gap | None = None, data: str = "text") -> str:
    """Return whether held-out loss rose again, and what is known of the gap, which is that of the end.

    `data` is what people call what it trained on.

    Nothing is said to be so because of a gap whose interval holds 0.

    Example:
        >>> overfitting(Metrics())
        'There are too few held-out passes to tell whether it overfits.'
    """
    first, best, last = curves.first, curves.best, curves.last
    if first is None or best is None or last is None or curves.evaluations.rows < 3:
        return "There are too few held-out passes to tell whether it overfits."
    gap = last.gap if gap is None else gap
    score = curves.score
    worse = 1.0 if score.lower else -1.0  # the sign of a change for the worse, and of a gap that says so
    rise = worse * (last.value - best.value)
    shrank = gap is not None and best.gap is not None and worse * gap.value <= worse * best.gap.value
    if rise >= RISE * abs(best.value) and not shrank:
        beside = f", and the gap to the training {data} is {gap} now" if gap is not None and gap.clear else ""
        return (
            f"It overfits: after step {count(best.step)} {score.title} {'rose' if score.lower else 'fell'} by "
            f"{short(rise)} {score.unit}{beside}. The weights of step {count(best.step)} are the ones kept."
        )
    how = "risen" if score.lower else "fallen"
    risen = f"{title(score)} has not {how} again, so there is no sign that it overfits."
    if gap is None:
        return risen
    if not gap.clear:
        return f"{risen} Whether there is a gap to the training {data} cannot be told: {gap} {score.unit}."
    wide = gap.low if score.lower else -gap.high
    if first.gap is not None and worse * gap.value > worse * first.gap.value and wide > 0.1 * abs(last.value):
        return (
            f"The gap to the training {data} has grown to {gap} {score.unit}, but {score.title} has not {how}: it "
            f"learns the training {data} by heart in part, and no harm shows yet."
        )
    most = "lowest" if score.lower else "highest"
    more = f" {title(score)} was {most} at the last pass, so more steps may help." if best.step == last.step else ""
    return f"It does not overfit: the gap to the training {data} is {gap} {score.unit}.{more}"


def _start(source: Source) -> str:
    start = evaluation(0, source.fact("start"), source.score)
    if start is None:
        return ""
    beside = f", and the gap {start.gap}" if start.gap is not None else ""
    return f"Before the first step {source.score.title} was {fixed(start.value, '.4f')}{beside}."


def _beside(source: Source, best: Evaluation) -> str:
    found = yardsticks(source)
    if not found or best.bits is None:
        return ""
    said = ", ".join(f"{YARDSTICKS[name]} {fixed(value, '.3f')}" for name, value in found.items())
    name, least = min(found.items(), key=lambda item: item[1])
    bits = offered(source, best.bits)
    change = 1 - bits / least if least > 0 else 0.0
    verdict = f"{abs(change):.0%} {'fewer' if change >= 0 else 'more'} than {name}"
    return f"On the same bytes {said}; this model needs {fixed(bits, '.3f')}, {verdict}."


def _remarks(source: Source) -> list[str]:
    """Return what the run itself said of its yardsticks, and of held-out text that repeats training text."""
    said = source.facts.get("remarks")
    return [remark for remark in said if isinstance(remark, str)] if isinstance(said, list) else []


def _bars(source: Source, best: Evaluation) -> list[tuple[str, float, str]]:
    if best.bits is None:
        return []
    others = sorted(yardsticks(source).items(), key=lambda item: item[1])
    both = mixture(source)
    alone = [] if both is None else [("network", both.network, "train")]
    return [
        ("this model", offered(source, best.bits), "held"),
        *alone,
        *((name, value, name) for name, value in others),
    ]


def _tiles(source: Source, best: Evaluation | None) -> list[tuple[str, str, str]]:
    curves, tiles = source.metrics, []
    if best is not None and best.bits is not None:
        both = mixture(source)
        beside = "bits per byte" if both is None else f"bits per byte; {fixed(both.network, '.3f')} without counts"
        tiles.append(("Held-out", fixed(offered(source, best.bits), ".3f"), beside))
    if best is not None and source.score == NATS:
        tiles.append(("Perplexity", compact(math.exp(min(best.value, 700.0))), "per token, held-out"))
    elif best is not None:
        tiles.append(("Held-out", short(best.value), source.score.unit))
    if (gap := gap_of(source)) is not None:
        between = f"{gap.low:.2g} to {gap.high:.2g}"
        tiles.append(("Gap", f"{gap.value:.3g}", f"{source.score.unit}, 95%: {between}") if gap.clear else
                     ("Gap", between, f"{source.score.unit}, 95% interval"))  # fmt: skip
    if (share := number(source.fact("yardsticks").get("repeated_share"))) is not None:
        tiles.append(("Repeated", f"{share:.1%}", "of held-out text, in 64 characters or more"))
    if (parameters := number(source.facts.get("num_parameters"))) is not None:
        tiles.append(("Parameters", compact(parameters), "numbers learned"))
    if curves.training_seconds > 0:
        speed = compact(curves.training_tokens / curves.training_seconds)
        tiles.append(("Speed", speed, f"{source.counted} per second"))
    seconds = number(source.fact("outcome").get("seconds"))
    seconds = seconds if seconds is not None else curves.seconds
    if seconds is not None:
        tiles.append(("Time", duration(seconds), several(curves.last_step, "step")))
    return tiles
