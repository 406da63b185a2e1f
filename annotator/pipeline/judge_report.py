"""`annotator judge report`: what a study's judgments come to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from annotator.catalog.judgments import read_judged
from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import NothingToJudge
from annotator.records import Item

if TYPE_CHECKING:
    from annotator.judge.report import Report


def study_report(catalog: Catalog | str | Path, llm: str | None = None) -> tuple[Report, list[str]]:
    """What a study's judgments come to, and who wrote the descriptions.

    Args:
        catalog: the catalog's directory.
        llm: only of this describer's: any name of theirs, or an unambiguous part of one.

    Raises:
        NothingToJudge: nothing was judged yet.
        DescriberUnknown: nobody is called so, or several are.
    """
    from annotator.judge.report import report as sum_up

    opened = open_catalog(catalog)
    judged = read_judged(opened.ledger)
    if not judged.items:
        raise NothingToJudge("no judgment has come back yet. Run: annotator judge push")
    describers = judged.describers
    who = None if llm is None else describers.find(llm)
    ours = [item for item in judged.items if who in (None, item.who)]
    if not ours:
        there = ", ".join(dict.fromkeys(describers.short(item.who) for item in judged.items))
        raise NothingToJudge(f"raters were given no description by {llm}, but by {there}")
    items: dict[str, Item] = {}
    for item in ours:
        items.setdefault(item.id, item)
    if not any(one.item in items for one in judged.last):
        raise NothingToJudge("no judgment has come back yet. Run: annotator judge pull")
    found = sum_up(items, judged.last, opened.manifest.dims["n_layers"], judged.categories)
    return found, list(dict.fromkeys(describers.short(item.who) for item in ours))
