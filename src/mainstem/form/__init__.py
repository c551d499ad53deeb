"""Published residual forms, one file each. A form is a value; forms combine with ``|``.

The catalogue lists them; `form.Hyper` is found there, so that a new form is its file and one line.
"""

from typing import Any

from .. import catalogue
from .base import Form, Multipliers, Parts
from .combined import Combined
from .parse import parse, written

__all__ = ["Combined", "Form", "Multipliers", "Parts", "parse", "written"]


def __getattr__(name: str) -> Any:
    for spec in catalogue.SPECS:
        if spec.kind == "residual" and spec.target.endswith(f":{name}"):
            return spec.load()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    forms = [spec.target.partition(":")[2] for spec in catalogue.SPECS if spec.kind == "residual"]
    return sorted({*globals(), *forms})
