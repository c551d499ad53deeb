"""`mainstem soup RUN RUN ... --out DIR`: one model of the mean weights of several runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from .. import config
from ..config.sections import Section, Text, about
from ..errors import BadInput, command
from ..runs.paths import typed
from ..wording import fixed, several
from . import arguments, model_folder, own_text, terminal
from .arguments import Asked

if TYPE_CHECKING:
    from ..loaded import LoadedRun
    from ..model import Network


class Options(Section, frozen=True, kw_only=True):
    """What the command's flags say."""

    out: Annotated[Text | None, about("the new folder of the model", "required")] = None
    kind: Annotated[
        Literal["greedy", "uniform"], about("from the best on, those that make the mean no worse; or all")
    ] = "greedy"
    last: Annotated[bool, about("the weights of the last step instead of the best")] = False
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], about("where it is measured")] = "auto"
    data: own_text.Own = own_text.Own()


def run(asked: Asked) -> int:
    """Write the model, and say what each run and the mean are worth; return the exit code."""
    options, paths = asked.options(Options), asked.take(2)
    folders = [arguments.run_folder(path) for path in paths]
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise BadInput("A run is named twice, and would count double in the mean: name each once.")
    out = model_folder.new(options.out, "The mean of these runs", "runs/soup")
    from ..loaded import load
    from ..model import soup

    loaded = [load(folder, last=options.last, prior=False) for folder in folders]
    _check(paths, loaded)
    models = [each.model for each in loaded]
    loss = _judge(loaded[0], folders[0], options)
    if options.kind == "greedy":
        taken, found = soup.greedy(models, _told(loss, models, paths))
    else:
        alone = [_told(loss, models, paths)([model]) for model in models]
        taken = sorted(range(len(models)), key=alone.__getitem__)
        found = loss(models)
    made = soup.mean([models[number] for number in taken])
    first = taken[0]
    names = [str(folders[number]) for number in taken]
    said = {"runs": names, "of": len(models), "kind": options.kind, "last": options.last, "nats_per_token": found}
    known = {name: value for name, value in loaded[first].facts.items() if name != "outcome"} | {"soup": said}
    model_folder.write(out, folders[first], made, known, options.last)
    _say(f"the mean of {several(len(taken), 'run')}, {', '.join(names)}: {fixed(found, '.4f')} nats per token")
    terminal.sentence("The held-out part has chosen it, so that its loss there is a little too good.")
    terminal.line(f"next: {command('evaluate', typed(out))}")
    return 0


def _say(text: str) -> None:
    terminal.sentence(terminal.clean(text, keep=""))  # a name may have a line break


def _check(paths: Sequence[str], loaded: Sequence[LoadedRun]) -> None:
    """Raise `BadInput` where the weights of the runs do not belong together, or no loss compares them."""
    from ..model import soup

    for path, other in zip(paths[1:], loaded[1:], strict=True):
        both = f"{paths[0]!r} and {path!r}"
        try:
            soup.check(loaded[0].model.settings, other.model.settings)
        except BadInput as error:
            raise BadInput(f"{both} are of two models: {error}") from None
        texts, held = (
            [(each.facts.get("corpus") or {}).get(name) for each in (loaded[0], other)]
            for name in ("hash", "held_out_hash")
        )
        if loaded[0].tokenizer.to_json() != other.tokenizer.to_json():
            raise BadInput(f"{both} have other tokenizers, so that no weight means the same: give runs of one text.")
        if texts[0] != texts[1]:
            raise BadInput(
                f"{both} were trained on other texts, so that no held-out part compares them: give runs of one text."
            )
        if held[0] != held[1]:
            raise BadInput(
                f"{both} hold out different parts of their text, so that one may have been trained on what judges "
                "both: give runs of one data.held_out and data.split."
            )


def _judge(loaded: LoadedRun, folder: Path, options: Options) -> Callable[[Sequence[Network]], float]:
    """Return what measures the mean of some models: nats per token on the whole held-out part."""
    from .. import measure
    from ..model import soup
    from ..train import device

    corpus = own_text.corpus(loaded, options.data, own_text.cache_of(folder))
    own_text.warn(corpus)
    place = device.choose(config.Machine(device=options.device, dtype=loaded.run.machine.dtype))
    how: dict[str, Any] = {
        "documents": loaded.run.data.documents == "mask", "batch": loaded.run.evaluate.batch,
        "autocast": place.autocast,
    }  # fmt: skip

    def loss(models: Sequence[Network]) -> float:
        with device.threads(loaded.run.machine.threads):
            made = soup.mean(models).to(place.device)
            return float(measure.evaluate(made, corpus.held_out, **how).nats_per_token)

    return loss


def _told(
    loss: Callable[[Sequence[Network]], float], models: Sequence[Network], paths: Sequence[str]
) -> Callable[[Sequence[Network]], float]:
    """Return `loss`, which says what it finds."""

    def told(some: Sequence[Network]) -> float:
        found = loss(some)
        newest = next(path for model, path in zip(models, paths, strict=True) if model is some[-1])
        what = newest if len(some) == 1 else f"the mean with {newest}, of {len(some)}"
        _say(f"{what}: {fixed(found, '.4f')} nats per token")
        return found

    return told
