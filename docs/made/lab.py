"""Results of the laboratory as parts of a page, in both languages: verdict, conditions, every sentence, figures."""

from __future__ import annotations

import functools
import html
import json
import math
import re
from pathlib import Path
from typing import Any, NamedTuple

from mainstem import catalogue
from mainstem.draw import figure_page
from mainstem.draw.words import Say, short
from mainstem.lab import page
from mainstem.lab.conditions import share
from mainstem.lab.result import Results, from_json

from . import chinese

RESULTS = Path(__file__).resolve().parents[1] / "results" / "lab"

WORDS = {
    "en": {
        "missing": "Not measured yet: run", "experiment": "experiment", "claim": "what the section says",
        "tested": "what was tested", "verdict": "verdict", "effect": "effect", "conditions": "Conditions", "full": ": ",
        "sees": "Measured by", "all": "All {} sentences that were tested", "says": "The section says",
    },
    "zh": {
        "missing": "尚未量測，請執行", "experiment": "實驗", "claim": "課文的說法", "tested": "檢驗的句子",
        "verdict": "判定", "effect": "效果", "conditions": "條件", "full": "：", "sees": "圖中數字以",
        "all": "檢驗的全部 {} 個句子", "says": "課文的說法",
    },
}  # fmt: skip

_FORMULA = re.compile(r"[^\s，。；、：（]+(?: [=+−*/-] [^\s，。；、：]+(?: F\(x\)| \|w\|)?)+")
"""Words with a sign of arithmetic between them."""

Judged = tuple[Any, Any, Any]
"""A contrast, its statistics, its verdict."""


class Stored(NamedTuple):
    """Published results; `conditions` are those under which they were measured, in the words of then."""

    results: Results
    conditions: str


def stored(name: str) -> Stored | None:
    """Return the published results of an experiment, or None where there are none.

    Raises:
        KeyError, TypeError, ValueError: where they are of another version of the experiment.
    """
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    return Stored(from_json(catalogue.resolve("experiment", name), content), str(content["conditions"]))


def say(text: str, language: str) -> str:
    """Return a text of the laboratory in the page's language; no line is broken within a formula.

    Example:
        >>> say("With y = F(x) + x alone", "en").split(" ")
        ['With', 'y\\xa0=\\xa0F(x)\\xa0+\\xa0x', 'alone']
    """
    told = chinese.say(text) if language == "zh" else text
    return _FORMULA.sub(lambda found: found[0].replace(" ", "\u00a0"), told)


@functools.cache
def _speaker(language: str) -> Say:
    """Return `say` of one language: the same one each time, as templates are compiled for each that there is."""
    return functools.partial(say, language=language)


def experiment(name: str, language: str) -> str:
    """Return what was tested, its verdict, conditions and figures as HTML; a sentence where nothing was measured."""
    found, words = stored(name), WORDS[language]
    if found is None:
        return f"<p><em>{words['missing']} <code>mainstem lab {name}</code></em></p>"
    results, judged = found.results, found.results.judged()
    full = words["full"]
    says = [
        f"{words['says']}{full}{say(results.experiment.claim, language)}",
        f"{words['conditions']}{full}{conditions(found, judged[0][0], language)}",
    ]
    figures = figure_page.fragment(
        page.drawings(results), judged[0][2], [_sentence(judged[0], language), *says], key=1,
        say=_speaker(language),
    )  # fmt: skip
    return figures + _sentences(found, judged, language) + f"<p>{_made(results, language)}</p>"


def figure(name: str, language: str) -> str:
    """Return the key figure of an experiment with the sentence that was tested and its verdict, for a first page."""
    found = stored(name)
    if found is None:
        return ""
    drawing = page.drawings(found.results)[1]
    judged = found.results.judged()[0]
    return figure_page.fragment(
        [drawing], judged[2], [_sentence(judged, language), _conditions_line(found, judged, language)],
        say=_speaker(language),
    )  # fmt: skip


def _conditions_line(found: Stored, judged: Judged, language: str) -> str:
    words = WORDS[language]
    return f"{words['conditions']}{words['full']}{conditions(found, judged[0], language)}"


def _sentence(judged: Judged, language: str) -> str:
    gap = "" if language == "zh" else " "
    return f"{say(judged[0].says, language)}{gap}{effect(judged, language)}"


def _sentences(found: Stored, judged: list[Judged], language: str) -> str:
    words, rows = WORDS[language], []
    if len(judged) < 2:
        return ""
    first = conditions(found, judged[0][0], language)
    for one in judged:
        own = conditions(found, one[0], language)
        told = "" if own == first else f"<br>{words['conditions']}{words['full']}{html.escape(own)}"
        cells = [html.escape(say(one[2], language)), html.escape(say(one[0].says, language)) + told,
                 html.escape(effect(one, language))]  # fmt: skip
        heads = [words[key] for key in ("verdict", "tested", "effect")]
        row = (f'<td data-head="{word}">{cell}</td>' for word, cell in zip(heads, cells, strict=True))
        rows.append(f"<tr>{''.join(row)}</tr>")
    head = "".join(f"<th>{words[key]}</th>" for key in ("verdict", "tested", "effect"))
    table = f'<table class="verdicts"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return f"<details><summary>{words['all'].format(len(judged))}</summary>{table}</details>"


def effect(judged: Judged, language: str) -> str:
    """Return the effect, its interval and the smallest that so many seeds would find, in a sentence."""
    contrast, found, _ = judged
    if language == "en":
        return page.said(contrast, found)
    mean, unit = page.signed(found.mean), chinese.say(contrast.unit)
    told = f"{unit}相差 {mean}"
    if contrast.unit == "decades":
        told = f"相差 {mean} {unit}，即 10 的 {mean} 次方倍"
    elif contrast.unit == "doublings of the steps":
        told = f"步數相差 {mean} {unit}，即 2 的 {mean} 次方倍"
    elif "／" in unit:
        told = f"相差 {mean} {unit}"
    if not math.isfinite(found.mean):
        return f"沒有差異值：有數字缺少或不是有限值（{found.n} 個種子）。"
    if math.isnan(found.low):
        return f"{told}（{found.n} 個種子，太少，算不出區間）。"
    ends = f"{page.percent(found.level)} 信賴區間 {page.signed(found.low)} 至 {page.signed(found.high)}"
    seen = f"有實質意義的最小效果 {short(contrast.delta)}，最小可偵測效果 {short(found.detectable)}"
    return f"{told}（{ends}，{found.n} 個種子；{seen}）。"


def conditions(found: Stored, contrast: Any, language: str) -> str:
    """Return under which conditions a verdict holds: text, passes, sizes, steps, seeds, then the experiment's words."""
    known = found.results.conditions(contrast)
    if language == "en":
        parts = [known.said() if known is not None else "", found.conditions]
        return " ".join(part for part in parts if part)
    return (_in_chinese(known) if known is not None else "") + say(found.conditions, language)


_TEXTS = {"Python's standard library": "Python 標準函式庫的原始碼"}


def _in_chinese(known: Any) -> str:
    """Return the numbers of the conditions in a sentence."""
    text = "、".join(_TEXTS.get(text, text) for text in known.texts)
    parts = [f"{text}，{_either(known.bytes)} 位元組"]
    still = known.steps == (0,)
    if still:
        parts.append("網路使用初始權重，不訓練")
    elif all(value < 1 for value in known.passes):
        parts.append(f"只讀其中的 {_ends([share(value) for value in known.passes])}")
    else:
        parts.append(f"讀 {_either([float(short(value)) for value in known.passes])} 遍")
    parts.append(f"{_either(known.layers)} 個寬度 {_either(known.width)} 的區塊，上下文長度 {_either(known.context)}")
    if not still:
        parts.append(f"{_either(known.steps)} 步，每步 {_either(known.batch)} 個序列")
    return "；".join([*parts, f"{known.seeds} 個種子"]) + "。"


def _either(values: Any) -> str:
    shown = [f"{value:,g}" if isinstance(value, float) else f"{value:,}" for value in values]
    return _ends(shown)


def _ends(shown: list[str]) -> str:
    return " 或 ".join(shown) if len(shown) <= 2 else f"{shown[0]} 至 {shown[-1]}"


def _made(results: Results, language: str) -> str:
    """Return the command that measured the numbers, with commit, machine and versions."""
    facts, words = results.facts, WORDS[language]
    machine, versions = facts.get("machine", {}), facts.get("versions", {})
    command = f"<code>{html.escape(str(facts.get('command')))}</code>"
    commit, torch = str(facts.get("commit"))[:12], versions.get("torch")
    cores, instructions = machine.get("cores"), str(machine.get("instructions")).replace("AVX512", "AVX\u2011512")
    if language == "zh":
        told = html.escape(f"測得（commit {commit}，{cores} 個核心，{instructions}，torch {torch}）。")
        return f"{words['sees']} {command} {told}"
    return (
        f"{words['sees']} {command} {html.escape(f'(commit {commit}, {cores} cores, {instructions}, torch {torch}).')}"
    )


def verdicts(language: str) -> str:
    """Return a table of all experiments: what the section says, what was tested, verdict and effect."""
    words, rows = WORDS[language], []
    for name in catalogue.names("experiment"):
        claim = html.escape(say(catalogue.resolve("experiment", name).claim, language))
        found = stored(name)
        if found is None:
            rows.append([f"<code>{name}</code>", "–", claim, "", ""])
            continue
        judged = found.results.judged()[0]
        told = [effect(judged, language), _conditions_line(found, judged, language)]
        rows.append([
            f"<code>{name}</code>", f"<strong>{html.escape(say(judged[2], language))}</strong>", claim,
            html.escape(say(judged[0].says, language)), "<br>".join(map(html.escape, told)),
        ])  # fmt: skip
    heads = [words[key] for key in ("experiment", "verdict", "claim", "tested", "effect")]
    head = "".join(f"<th>{word}</th>" for word in heads)
    body = "".join(
        "<tr>" + "".join(f'<td data-head="{word}">{cell}</td>' for word, cell in zip(heads, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<table class="verdicts"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
