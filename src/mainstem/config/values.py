"""What a name of the catalogue may be given, read from the source of what it stands for, so that no torch is imported.

The fields of a dataclass, with those that it inherits, but without those that `dataclasses.field` keeps for its code.
What they mean stands under `Args:` in the docstring.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

from .. import catalogue

_PACKAGE = Path(catalogue.__file__).parent


class Value(NamedTuple):
    """A value that belongs to a name: its type and default as they stand in the source, and one line of meaning.

    `default` is None where it has to be given.
    """

    name: str
    type: str
    default: str | None
    meaning: str

    @property
    def said(self) -> str:
        """The default as a user would write it; "required" where there is none, "its own" where it is not a constant.

        Example:
            >>> Value("a", "bool", "True", "").said, Value("a", "str", "'b'", "").said, Value("a", "int", None, "").said
            ('true', 'b', 'required')
        """
        if self.default is None:
            return "required"
        try:
            value = ast.literal_eval(self.default)
        except ValueError:
            return "its own"
        if isinstance(value, tuple):
            return (", " if isinstance(value[0], str) else ",").join(map(str, value))
        if value is None or isinstance(value, bool):
            return "null" if value is None else str(value).lower()
        return str(value)


@cache
def of(kind: str, name: str) -> tuple[Value, ...]:
    """Return what the variant `name` of `kind` may be given, in order; nothing for what has no values.

    Example:
        >>> [(value.name, value.type, value.default) for value in of("residual", "hyper")]
        [('streams', 'int', '4'), ('weights', "Literal['static', 'dynamic']", "'dynamic'")]
    """
    module, colon, attribute = catalogue.find(kind, name).target.partition(":")
    return tuple(_of(module, attribute).values()) if colon else ()


@cache
def of_rates() -> tuple[Value, ...]:
    """Return what the rate of every noise may be given beside its value: the other fields of `noise.Rate`.

    Example:
        >>> [value.name for value in of_rates()]
        ['depth', 'begin', 'end', 'course']
    """
    return tuple(value for value in _of("noise.rate", "Rate").values() if value.name != "value")


def _of(module: str, attribute: str) -> dict[str, Value]:
    path = _PACKAGE / f"{module.replace('.', '/')}.py"
    tree = _parsed(path if path.exists() else _PACKAGE / module.replace(".", "/") / "__init__.py")
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == attribute:
            return _of_class(node, tree, module)
    return {}


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _of_class(node: ast.ClassDef, tree: ast.Module, module: str) -> dict[str, Value]:
    """Return the fields of a dataclass, those of its bases first; nothing of a class that is none."""
    found: dict[str, Value] = {}
    if not any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        return found
    for base in node.bases:
        if isinstance(base, ast.Name):
            found |= _of(_origin(base.id, tree, module), base.id)
    meanings = _meanings(node)
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            kind, default = ast.unparse(line.annotation), line.value
            filled = isinstance(default, ast.Call) and ast.unparse(default.func).endswith("field")
            if not kind.startswith("ClassVar") and not filled:
                name = line.target.id
                value = _value(name, line.annotation, line.value, meanings)
                inherited = found[name].meaning if name in found else ""
                found[name] = value._replace(meaning=value.meaning or inherited)
    return found


def _value(name: str, kind: ast.expr | None, default: ast.expr | None, meanings: dict[str, str]) -> Value:
    said = "Any" if kind is None else ast.unparse(kind)
    return Value(name, said, None if default is None else ast.unparse(default), meanings.get(name, ""))


def _origin(name: str, tree: ast.Module, module: str) -> str:
    """Return the module below mainstem in which `name`, as `module` knows it, is defined."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level and any(alias.name == name for alias in node.names):
            above = module.split(".")[: -node.level]
            return ".".join([*above, *([node.module] if node.module else [])])
    return module


def _meanings(node: ast.ClassDef) -> dict[str, str]:
    """Return what the docstring says of each argument under `Args:`, on one line."""
    lines = (ast.get_docstring(node) or "").splitlines()
    found: dict[str, str] = {}
    name = ""
    for line in lines[lines.index("Args:") + 1 :] if "Args:" in lines else []:
        if line and not line.startswith("    "):
            break
        head, colon, rest = line.strip().partition(": ")
        if colon and line.startswith("    ") and not line.startswith("     ") and head.isidentifier():
            name, found[head] = head, rest
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return found
