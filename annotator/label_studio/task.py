"""What one rater is shown of one item, for the screen in `screen.xml`.

A task says nothing of the head, its layer, the model or who wrote the description. Tokens are
untrusted text and reach the screen as HTML: every one of them is escaped, and keeps its place.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from annotator.describe.evidence import description_text, evidence_of
from annotator.records import EVIDENCE_SOURCES, EVIDENCE_TARGETS, Description, HeadMap, Item

LONGEST_NAME = 40
SHADES = 5
"""How many grades of shading the screen has: classes s1 to s5."""
_FITS = 11  # characters that a cell of the screen shows; a longer token is whole in its tooltip
_SPACES = re.compile("␣+")
_COLUMNS = '<colgroup><col class="n"/><col span="6"/></colgroup>'


@dataclass(frozen=True)
class Task:
    """What Label Studio imports.

    Attributes:
        item: the id of the item; also in the data, where an export keeps it.
        data: what the screen shows, by the names it has there, and the item and rater.
    """

    item: str
    data: Mapping[str, str]


def task_of(
    item: Item, head: HeadMap, description: Description, number: int, of: int, rater: str
) -> Task:
    """The task of an item for one rater.

    Args:
        item: the item.
        head: its head.
        description: what is said of the head.
        number: the item's place in this rater's order, from 1.
        of: how many items the rater gets.
        rater: the rater's pseudonym.
    """
    data = {
        "item": item.id,
        "rater": rater,
        "title": f"Item {number} of {of}",
        "mappings_html": mappings_html(head),
        "description": description_text(description),
    }
    return Task(item.id, data)


def mappings_html(head: HeadMap) -> str:
    """A head's mappings as a table: its most salient sources, each with what it is mapped to.

    The darker a target, the larger its logit beside the largest one of the table.
    """
    shown = evidence_of(head).mappings
    logits = [
        [t.logit for t in m.targets[:EVIDENCE_TARGETS]] for m in head.mappings[:EVIDENCE_SOURCES]
    ]
    finite = (logit for row in logits for logit in row if math.isfinite(logit))
    largest = max(finite, default=0.0)
    rows: list[str] = []
    for number, (mapping, row) in enumerate(zip(shown, logits, strict=True), start=1):
        targets = zip(mapping.targets, row, strict=True)
        cells = "".join(f"<td>{_token(t, _shade(logit, largest))}</td>" for t, logit in targets)
        source = f'<td class="src">{_token(mapping.source, 0)}</td>'
        rows.append(f'<tr><td class="n">{number}</td>{source}{cells}</tr>')
    return f'<table class="maps">{_COLUMNS}<tbody>{"".join(rows)}</tbody></table>'


def screen() -> str:
    """The labelling configuration, XML."""
    return (
        resources.files("annotator.label_studio").joinpath("screen.xml").read_text(encoding="utf-8")
    )


def is_pseudonym(name: object) -> bool:
    """Whether a rater can be called so: one line of up to 40 letters that can be seen."""
    return (
        isinstance(name, str)
        and 1 <= len(name) <= LONGEST_NAME
        and name == name.strip()
        and name.isprintable()
    )


def _token(text: str, shade: int) -> str:
    """A token's shown text as HTML; the spaces in it are marked off."""
    marked = _SPACES.sub(r"<i>\g<0></i>", html.escape(text))
    tooltip = f' title="{html.escape(text)}"' if len(text) > _FITS else ""
    return f'<span class="tok{f" s{shade}" if shade else ""}"{tooltip}>{marked}</span>'


def _shade(logit: float, largest: float) -> int:
    """The grade of a logit's shading, 0 (none) to `SHADES`."""
    if not (math.isfinite(logit) and 0 < logit <= largest):
        return 0
    return math.ceil(logit / largest * SHADES)
