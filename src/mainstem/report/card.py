"""The card of a model: what it reached and beside what, how it was chosen, what it cost, and where its limits are.

The same facts as a section of the page and as card.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..draw.table import Table
from ..draw.words import compact, count, duration, short, visible
from ..runs.metrics import number
from ..runs.score import BITS, NATS
from ..wording import counted, fixed, several, size
from .headline import YARDSTICKS, best_of, gap_of, overfitting, title, yardsticks
from .mixture import mixture, offered
from .source import Source, mapping
from .waterfall import waterfall

NAME = "card.md"
_NORMAL = 1.96


class Part(NamedTuple):
    """A part of the card: sentences, and a table with heads, if there is one."""

    title: str
    sentences: list[str]
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()

    @property
    def table(self) -> Table:
        """Return the rows as the page shows them."""
        return Table(self.title, self.heads, self.rows)


def card(source: Source) -> list[Part]:
    """Return the parts of the card; those of which nothing is known are left out."""
    parts = (_loss(source), _stages(source), _yardsticks(source), _calibration(source), _choices(source),
             _text(source), _cost(source), _limits(source))  # fmt: skip
    return [part for part in parts if part.sentences or part.rows]


def markdown(source: Source) -> str:
    """Return the card as Markdown."""
    lines = [f"# Model card: {_cell(visible(source.name, limit=100))}", ""]
    for part in card(source):
        lines += [f"## {part.title}", ""]
        for sentence in part.sentences:
            lines += [_cell(sentence), ""]
        if part.rows:
            table = [part.heads, ["---"] * len(part.heads), *part.rows]
            lines += [*(f"| {' | '.join(map(_cell, row))} |" for row in table), ""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Return `text` so that Markdown reads it as it stands, on one line."""
    text = visible(text)
    for sign in "\\`*_<>[]|#&~":
        text = text.replace(sign, f"\\{sign}")
    return text


def _loss(source: Source) -> Part:
    best, score = best_of(source), source.score
    if best is None:
        return Part(title(score), [])
    reached = mapping(source.fact("outcome").get("best"))
    bits = f", {fixed(best.bits, '.4f')} {BITS.unit}" if best.bits is not None else ""
    tokens = number(reached.get("tokens"))
    over = f", over {several(tokens, 'held-out target')}" if tokens else ""
    found = [
        f"{title(score)} {fixed(best.value, '.4f')} {score.unit}{bits}{over}, by the weights of step "
        f"{count(best.step)}."
    ]
    if members := number(source.facts.get("members")):
        found.append(
            f"It is the mean of the probabilities of {count(members)} networks, each of which was trained alone."
        )
    if (both := mixture(source)) is not None:
        found.append(both.sentence)
    if best.error is not None:
        ends = (best.value - _NORMAL * best.error, best.value + _NORMAL * best.error)
        found.append(f"That is a sample; all of the held-out part has {_interval(ends)} {score.unit} (95% interval).")
    spread = number(source.fact("calibration").get("error"))
    if spread is not None:
        ends = (best.value - _NORMAL * spread, best.value + _NORMAL * spread)
        found.append(
            f"For more text like the held-out part the 95% interval is {_interval(ends)} {score.unit}, by how much its "
            "windows differ; text of other kinds may be anywhere."
        )
    if (gap := gap_of(source)) is not None:
        said = overfitting(source.metrics, gap, source.data)
        found.append(
            said if str(gap) in said else f"The gap to the training {source.data} is {gap} {score.unit}. {said}"
        )
    return Part(title(score), found)


def _interval(ends: tuple[float, float]) -> str:
    return f"{fixed(ends[0], '.3f')} to {fixed(ends[1], '.3f')}"


def _stages(source: Source) -> Part:
    found = waterfall(source)
    if found is None:
        return Part("Stages", [])
    return Part(found.table.title, [found.note], found.table.heads, found.table.rows)


def _yardsticks(source: Source) -> Part:
    best, others = best_of(source), yardsticks(source)
    if best is None or best.bits is None or not others:
        return Part("Yardsticks", [])
    said = source.facts.get("remarks")
    remarks = [remark for remark in said if isinstance(remark, str)] if isinstance(said, list) else []
    reached = offered(source, best.bits)
    rows = [["this model", fixed(reached, ".4f"), ""]]
    if (both := mixture(source)) is not None:
        rows.append(["its network alone", fixed(both.network, ".4f"), fixed(reached - both.network, "+.4f")])
    for name, bits in sorted(others.items(), key=lambda item: item[1]):
        words = YARDSTICKS[name].removesuffix(" need").removesuffix(" needs")
        rows.append([words, fixed(bits, ".4f"), fixed(reached - bits, "+.4f")])
    return Part("Yardsticks", remarks, ["on the same bytes", "bits per byte", "this model less it"], rows)


def _calibration(source: Source) -> Part:
    found = source.fact("calibration")
    values = {name: number(found.get(name)) for name in ("ece", "confidence", "right", "tokens")}
    if any(value is None for value in values.values()):
        return Part("Calibration", [])
    known = {name: value for name, value in values.items() if value is not None}
    # The places were scored by the network; what counts beside it change was not measured.
    whose = "Its" if mixture(source) is None else "Without the counts, its"
    how = "surer" if known["confidence"] > known["right"] else "less sure"
    return Part("Calibration", [
        f"{whose} likeliest token is the next one in {known['right']:.1%} of "
        f"{several(known['tokens'], 'held-out place')}, "
        f"and has a probability of {known['confidence']:.1%} on average: it is {how} than it is right. The expected "
        f"calibration error is {known['ece']:.3f}.",
    ])  # fmt: skip


def _choices(source: Source) -> Part:
    found = source.fact("choice")
    decisions = found.get("decisions")
    rows = [
        [visible(decision.get(name, ""), limit=200) for name in ("title", "said", "why")]
        for decision in (decisions if isinstance(decisions, list) else [])
        if isinstance(decision, dict)
    ]
    if not rows:
        return Part("Choices", ["Nothing was chosen: config.yaml has what was asked for."] if source.config else [])
    budget = number(found.get("budget"))
    given = found.get("given")
    said = (
        [f"Chosen for a budget of {duration(budget)}, from the {source.data} and the speed of the machine."]
        if budget
        else []
    )
    if isinstance(given, list) and given:
        said.append(f"Given: {', '.join(visible(name, limit=60) for name in given[:40])}.")
    return Part("Choices", said, ["what", "chosen", "because"], rows)


def _text(source: Source) -> Part:
    facts = source.fact("corpus")
    rows = []
    for words, keys in (
        (source.data, ("origin",)), ("documents", ("documents",)), ("training", ("train_bytes", "train_tokens")),
        ("held out", ("held_out_bytes", "held_out_tokens")), ("cut by", ("split", "split_reason")),
        ("tokens", ("tokenizer", "vocab_size")), ("hash", ("hash",)),
    ):  # fmt: skip
        values = [_fact(key, facts[key]) for key in keys if key in facts]
        if values:
            rows.append([words, ", ".join(values)])
    return Part(source.data[:1].upper() + source.data[1:], [], ["", ""], rows)


def _fact(key: str, value: Any) -> str:
    if (found := number(value)) is None:
        return visible(value, limit=200)
    if key.endswith("_bytes"):
        return size(found)
    names = {"train_tokens": " tokens", "held_out_tokens": " tokens", "vocab_size": " in the vocabulary"}
    return f"{count(found)}{names.get(key, '')}"


def _cost(source: Source) -> Part:
    outcome, machine, curves = source.fact("outcome"), source.fact("machine"), source.metrics
    rows = []
    if (parameters := number(source.facts.get("num_parameters"))) is not None:
        rows.append(["parameters", f"{count(parameters)}, {size(4 * parameters)} in float32{_members(source)}"])
    if curves.tokens is not None:
        rows.append(["training", f"{several(curves.last_step, 'step')}, {compact(curves.tokens)} {source.counted}"])
    if (seconds := number(outcome.get("seconds"))) is not None:
        budget = source.section("train").get("budget")
        rows.append(["time", f"{duration(seconds)}{visible(f', of a budget of {budget}', limit=60) if budget else ''}"])
    where = [visible(machine[name], limit=60) for name in ("device", "dtype") if name in machine]
    if (threads := number(machine.get("threads"))) is not None:
        where.insert(1, several(threads, "thread"))
    if where:
        rows.append(["machine", ", ".join(where)])
    return Part("Cost", [], ["", ""], rows)


def _members(source: Source) -> str:
    members = number(source.facts.get("members"))
    return f", in {count(members)} members" if members else ""


def _limits(source: Source) -> Part:
    facts, context = source.fact("corpus"), number(source.section("model").get("context"))
    if source.data != "text":
        return Part("Limits", [])  # what follows is about models of text
    found = []
    if "origin" in facts and source.score == NATS:
        found.append(
            "It has learned to continue text of this one kind. All numbers here are about held-out text from the same "
            "source; nothing was measured of other text, of facts, or of what it writes."
        )
    if context:
        found.append(f"It sees at most {several(context, 'token')} before the one that it predicts.")
    if (tokens := number(facts.get("train_tokens"))) and source.metrics.tokens:
        found.append(
            f"It saw its training text {counted(short(source.metrics.tokens / tokens), 'time')}, and may repeat lines "
            "of it."
        )
    if (share := number(source.fact("yardsticks").get("repeated_share"))) is not None and math.isfinite(share):
        found.append(
            f"{share:.1%} of the held-out characters lie in 64 or more in a row that the training text has too."
        )
    if len(found) > 1:
        found.append("To try it: mainstem sample RUN, or mainstem evaluate RUN other.txt, where RUN is this folder.")
    return Part("Limits", found)
