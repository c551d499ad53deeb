"""From a run to YAML that reads back as the same run."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from .fields import own_field
from .reader import scalar
from .sections import Run, Section
from .version import VERSION


class _Dumper(yaml.SafeDumper):
    """Quotes what our reader would take for something other than text, and what YAML 1.1 would, such as `off`."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode and implicit[0] and not isinstance(scalar(value), str):
            return _TAGS[type(scalar(value))]
        return super().resolve(kind, value, implicit)


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
    # Only in double quotes does every character survive: U+0085 elsewhere is read as the end of a line.
    return dumper.represent_scalar(_TAGS[str], data, style=None if data.isprintable() else '"')


_TAGS = {
    str: "tag:yaml.org,2002:str", int: "tag:yaml.org,2002:int", float: "tag:yaml.org,2002:float",
    bool: "tag:yaml.org,2002:bool", type(None): "tag:yaml.org,2002:null",
}  # fmt: skip

_Dumper.add_representer(str, _text)


def plain(section: Section) -> dict[str, Any]:
    """Return `section` as mappings, lists and plain values; what its name alone has stands beside its fields.

    Example:
        >>> from mainstem import config
        >>> plain(config.PenaltyTerm(name="elastic_net", coef=1e-5, values={"share": 0.3}))
        {'name': 'elastic_net', 'coef': 1e-05, 'on': None, 'share': 0.3}
    """
    keeps = own_field(type(section))
    found: dict[str, Any] = {}
    for name in section.__struct_fields__:
        value = getattr(section, name)
        if keeps is not None and name == keeps[0]:
            continue
        found[name] = _plain(value)
    return found if keeps is None else {**found, **msgspec.to_builtins(getattr(section, keeps[0]))}


def _plain(value: Any) -> Any:
    if isinstance(value, Section):
        return plain(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return msgspec.to_builtins(value)


def dump(run: Run) -> str:
    """Return `run` as YAML, its version and every field of it, below a comment that says which program wrote it.

    Example:
        >>> from mainstem import config
        >>> config.parse(config.dump(config.Run(seed=3))).seed
        3
    """
    from .. import __version__

    tree = {"version": VERSION, **plain(run)}
    text: str = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return f"# The configuration of a run, every field of it, as mainstem {__version__} resolved it.\n{text}"
