"""What of the READMEs is made from results and code: `make pages` fills it in, and a test sees that it is not stale.

    <!-- made: times -->     what is reached in what time, from benchmarks/results/best.csv
    <!-- made: sample -->    what the model of docs/results/run wrote
    <!-- made: forms -->     what residual forms cost and gain, as far as it was measured
    <!-- made: sizes -->     parameters and memory of the sizes that have a name
    <!-- made: reading -->   what the two columns below are
    <!-- columns: forms -->  the table of forms: three columns that people write, and what a first reading says of each

each up to `<!-- end -->`. `docs/images/report.png` is the page of docs/results/run, as a browser shows it.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from made import picture, reading
from mainstem import config
from mainstem.draw.words import compact, count
from mainstem.wording import size

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "docs" / "results" / "run"
README = {"en": ROOT / "README.md", "zh": ROOT / "README.zh-TW.md"}
_MADE = re.compile(r"(<!-- made: (\w+) -->\n).*?(\n<!-- end -->)", re.DOTALL)
_COLUMNS = re.compile(r"(<!-- columns: forms -->\n\n)(.*?)(\n\n<!-- end -->)", re.DOTALL)
_TEXTS = {
    "proteins": {"en": "proteins, 122 kB", "zh": "蛋白質序列，122 kB"},
    "moby": {"en": "Moby Dick", "zh": "《白鯨記》"},
    "moby300": {"en": "Moby Dick, 300 kB", "zh": "《白鯨記》，300 kB"},
    "manual": {"en": "manuals in Traditional Chinese", "zh": "繁體中文手冊"},
    "shakespeare": {"en": "tiny Shakespeare", "zh": "tiny Shakespeare"},
    "kjv": {"en": "King James Bible", "zh": "欽定版聖經"},
    "dna": {"en": "DNA", "zh": "DNA"},
    "verse": {"en": "verse in Traditional Chinese", "zh": "繁體中文詩詞"},
    "stdlib": {"en": "Python's library", "zh": "Python 標準函式庫"},
}
_BYTES = {
    "proteins": 121_551, "moby300": 300_000, "manual": 822_452, "shakespeare": 1_115_394, "kjv": 4_138_212,
    "dna": 4_938_920, "verse": 9_070_041, "stdlib": 12_118_641,
}  # fmt: skip
_SAMPLE = 480


def filled(text: str, language: str) -> str:
    """Return a README with everything in it that is made as it would be made now."""
    text = _COLUMNS.sub(lambda found: f"{found[1]}{forms_table(found[2], language)}{found[3]}", text)
    return _MADE.sub(lambda found: f"{found[1]}\n{BLOCKS[found[2]](language)}\n{found[3]}", text)


def times(language: str) -> str:
    """Return what a run reaches in what time, beside the best other network and counts alone."""
    rows = _csv("best")
    heads = {
        "en": ["text", "bytes", "time, machine", "steps", "nats per character", "bits per byte", "best other network",
               "counts"],
        "zh": ["文字", "位元組", "時間與機器", "步數", "每字元 nat 數", "每位元組位元數", "其他網路的最佳結果", "計數"],
    }[language]  # fmt: skip
    words = {
        "en": {"time": "{} s, {}", "best": "{:.3f} ({})"}, "zh": {"time": "{} 秒，{}", "best": "{:.3f}（{}）"},
    }[language]  # fmt: skip
    table = []
    ours = {(row["text"], row["budget"], row["seed"]): row for row in rows if row["side"] == "ours"}  # the last ones
    for row in sorted(ours.values(), key=lambda row: (_BYTES[row["text"]], float(row["budget"]))):
        alike = [one for one in rows if one["text"] == row["text"] and one["frozen"]]
        counts = [_nats(one) for one in alike if one["side"].startswith("kneser")]
        others = [(_nats(one), one["side"]) for one in alike
                  if one["budget"] == row["budget"] and one["side"] in ("nanochat", "nanogpt", "awd_lstm")]  # fmt: skip
        best = min(others, default=None)
        bits = float(row["frozen"]) / math.log(2) / float(row["held_bytes"])
        table.append([
            _TEXTS[row["text"]][language], count(_BYTES[row["text"]]),
            words["time"].format(f"{float(row['budget']):g}", row["machine"].split()[1]),
            count(float(row["steps"])),
            f"**{_nats(row):.3f}**", f"{bits:.3f}",
            "–" if best is None else words["best"].format(*best), f"{min(counts):.3f}" if counts else "–",
        ])  # fmt: skip
    return _table(heads, table)


def sample(language: str) -> str:
    """Return the first text that the model of the run wrote, behind its prompt."""
    found = json.loads((RUN / "samples.json").read_text(encoding="utf-8"))[0]
    text = f"{found['prompt']}{found['text']}"[:_SAMPLE]
    return "```text\n" + "\n".join(line.rstrip() for line in text.strip().splitlines()[:-1]) + "\n```"


def forms(language: str) -> str:
    """Return what forms cost and gain where it was measured, each beside pre-norm."""
    heads = {
        "en": ["form", "what", "pre-norm", "with it", "measured"],
        "zh": ["形式", "項目", "pre-norm", "這種形式", "量測"],
    }
    words: dict[str, str] = {
        "en": {"step": "ms a step", "bits": "bits per byte, {}", "equal steps": "{} steps",
               "equal time": "{} s of steps",
               "kept": "kept for backward, {} blocks", "seconds": "s a step", "depth": "depth"},
        "zh": {"step": "每步時間（毫秒）", "bits": "每位元組位元數，{}", "equal steps": "{} 步",
               "equal time": "訓練步共 {} 秒",
               "kept": "為反向傳播保留的記憶體，{} 個區塊", "seconds": "每步時間（秒）", "depth": "深度"},
    }[language]  # fmt: skip
    rows = []
    recipe = _csv("recipe")
    for row in recipe:
        form = re.search(r" model\.residual=(\w+)", row["arm"])
        base = _without(row, recipe) if form else None
        if form is None or base is None:
            continue
        if row["steps"] == base["steps"]:
            told = words["equal steps"].format(row["steps"])
        else:
            told = words["equal time"].format(f"{float(row['seconds']):g}")
        rows.append([
            f"`{form[1]}`", words["bits"].format(_TEXTS[row["text"]][language]), f"{float(base['bits_per_byte']):.3f}",
            f"{float(row['bits_per_byte']):.3f}", f"[{told}](docs/results/recipe.md)",
        ])  # fmt: skip
    cost = _csv("cost")
    plain = next(row for row in cost if row["also"] == "" and (row["layers"], row["width"], row["vocabulary"],
                 row["context"], row["tokens"]) == ("4", "128", "1024", "128", "2048"))  # fmt: skip
    for row in cost:
        if row["also"].startswith("model.residual="):
            name = row["also"].partition("=")[2]
            rows.append([f"`{name}`", words["step"], f"{float(plain['ms']):.1f}", f"{float(row['ms']):.1f}",
                         "[4 x 128](docs/results/cost.md)"])  # fmt: skip
    for row in json.loads((ROOT / "benchmarks/results/table.json").read_text())["rows"]:
        named = re.match(r"(hyper-connections|denseformer), .*?(\d+) layers, .*width (\d+)", row["what"])
        if named:
            name = "hyper" if named[1].startswith("hyper") else named[1]
            where = f"[{named[2]} x {named[3]}](docs/results/kernels.md)"
            rows.append([f"`{name}`", words["seconds"], f"{row['theirs']:.3f}", f"{row['ours']:.3f}", where])
    kept = json.loads((ROOT / "docs/results/depth.json").read_text())["kept_bytes"]
    whole, less = (size(kept[form]["100"]) for form in ("pre_norm", "reversible"))
    where = f"[{words['depth']}](docs/results/main-job.md)"
    rows.append(["`reversible`", words["kept"].format(100), whole, less, where])
    return _table(heads[language], rows)


def forms_table(written: str, language: str) -> str:
    """Return the table of forms with the columns that a first reading gives it."""
    return reading.table(written, _csv("reading"), _csv("reading_cost"), language)


def first_reading(language: str) -> str:
    """Return what the columns behind the table of forms are; nothing before there is a first reading."""
    return reading.sentences(_csv("reading"), _csv("reading_cost"), language)


def sizes(language: str) -> str:
    """Return the sizes that have a name: parameters over 4,096 tokens, and memory that training holds besides
    activations."""
    heads = {"en": ["preset", "blocks", "width", "context", "parameters", "weights, gradients and AdamW's moments"],
             "zh": ["名稱", "區塊數", "寬度", "上下文長度", "參數", "權重、梯度與 AdamW 的動差"]}[language]  # fmt: skip
    rows = []
    for name in ("nano", "micro", "small"):
        run = config.load({"model.preset": name})
        number = _parameters(run)
        rows.append([f"`{name}`", str(run.model.layers), str(run.model.width), str(run.model.context), compact(number),
                     size(16 * number)])  # fmt: skip
    return _table(heads, rows)


def _parameters(run: config.Run) -> int:
    import torch

    from mainstem.model.build import network, settings

    with torch.device("meta"):
        made = network(settings(run.model, run.noise, 4096), seed=None)
    return sum(parameter.numel() for parameter in made.parameters())


def _without(row: dict[str, str], rows: list[dict[str, str]]) -> dict[str, str] | None:
    """Return the row of the same arm without its form; where it was computed may differ."""
    bare = re.sub(r" (model\.residual|machine\.dtype)=\S+", "", row["arm"])
    alike = [one for one in rows if one["arm"] == bare and one["text"] == row["text"] and one["seed"] == row["seed"]
             and one["seconds"] == row["seconds"]]  # fmt: skip
    return alike[0] if alike else None


def _csv(name: str) -> list[dict[str, str]]:
    path = ROOT / "benchmarks" / "results" / f"{name}.csv"
    if not path.exists():  # nothing was measured yet
        return []
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _nats(row: dict[str, str]) -> float:
    return float(row["frozen"]) / float(row["held_characters"])


def _table(heads: list[str], rows: list[list[Any]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *rows]).replace(
        f"| {' | '.join(['---'] * len(heads))} |", "|" + "---|" * len(heads)
    )


BLOCKS: dict[str, Callable[[str], str]] = {"times": times, "sample": sample, "forms": forms, "sizes": sizes,
                                           "reading": first_reading}  # fmt: skip


def main() -> None:
    """Fill in both READMEs, and take the picture."""
    picture.take()
    for language, path in README.items():
        text = path.read_text(encoding="utf-8")
        path.write_text(filled(text, language), encoding="utf-8")


if __name__ == "__main__":
    main()
