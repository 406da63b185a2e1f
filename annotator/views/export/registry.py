"""Every format of exports, in the order that help lists them: a file each, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annotator.registry import registered

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
    return registered("to", name, FORMATS, "FORMAT")
