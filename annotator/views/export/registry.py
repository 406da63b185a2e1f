"""Every format of exports, in the order that help lists them: a file each, and a line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from annotator.errors import SettingInvalid

if TYPE_CHECKING:
    from annotator.views.export.format import Format

FORMATS = {
    "hf": "annotator.views.export.hf",
    "jsonl": "annotator.views.export.jsonl",
    "csv": "annotator.views.export.csv",
    "parquet": "annotator.views.export.parquet",
    "site": "annotator.views.site.write",
}
"""By what --to calls it the module that has it as FORMAT."""


def format_of(name: str) -> Format:
    """The format of a name.

    Raises:
        SettingInvalid: there is none.
    """
    if name not in FORMATS:
        raise SettingInvalid("to", name, "one of " + ", ".join(FORMATS))
    return import_module(FORMATS[name]).FORMAT
