"""What a study asks about: which descriptions, of whom, as which rater's tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import NothingToJudge, SettingInvalid
from annotator.records import REAL, Description, Item

if TYPE_CHECKING:
    from annotator.judge.kinds import Shown
    from annotator.label_studio.task import Task


@dataclass(frozen=True)
class StudyItems:
    """What is judged.

    Attributes:
        items: what raters are asked about.
        shown: of each item, by id, the map and the description.
    """

    items: Sequence[Item]
    shown: Mapping[str, Shown]


def plan_study(
    catalog: Catalog | str | Path,
    llm: str | None = None,
    heads: Sequence[str] | None = None,
    kinds: Sequence[str] = (REAL,),
) -> StudyItems:
    """The descriptions and abstentions that are judged.

    Args:
        catalog: where they are, or its directory.
        llm: whose: any name of a describer, or an unambiguous part of one; needed where several
            have described.
        heads: only these, by name.
        kinds: which kinds of items are made of them.

    Raises:
        NothingToJudge: there is none, or several where one has to be named.
        DescriberUnknown: nobody is called so, or several are.
        HeadInvalid: not a head of this model.
        SettingInvalid: no such kind.
    """
    from annotator.judge.items import item_of
    from annotator.judge.kinds import kind_of

    catalog = open_catalog(catalog)
    asked = {kind: kind_of(kind) for kind in kinds}
    said = _to_judge(catalog.descriptions(llm=llm), catalog, llm)
    if heads is None:
        wanted = {one.head for one in said}
        maps = {head.head: head for head in catalog if head.head in wanted}
    else:
        maps = {head.head: head for head in map(catalog.head, heads)}
    said = [one for one in said if one.head in maps]
    if not said:
        raise NothingToJudge(_nothing(catalog, llm, "of these heads"))
    digest = catalog.manifest.model["weight_digest"]
    shown = {
        item_of(one, digest, kind): one
        for kind, of in asked.items()
        for one in of.shown(catalog, said, maps)
    }
    return StudyItems(list(shown), {item.id: one for item, one in shown.items()})


def _to_judge(
    descriptions: Sequence[Description], catalog: Catalog, llm: str | None
) -> list[Description]:
    """Those that have something to judge, by one describer."""
    from annotator.judge.items import JUDGED_STATUSES

    said = [one for one in descriptions if one.status in JUDGED_STATUSES]
    if not said:
        raise NothingToJudge(_nothing(catalog, llm, "yet"))
    names = list(dict.fromkeys(one.shown for one in said))
    if len(names) > 1:
        named = ", ".join(names)
        raise NothingToJudge(f"several have described heads; name one with --llm: {named}")
    return said


def _nothing(catalog: Catalog, llm: str | None, of: str) -> str:
    whose = f" by {llm}" if llm else ""
    command = f"annotator describe {catalog.folder} --llm ..."
    return f"no head is described{whose} {of}. Run: {command}"


def described_by(catalog: Catalog | str | Path) -> list[str]:
    """Whose descriptions there are to judge."""
    from annotator.judge.items import JUDGED_STATUSES

    found = open_catalog(catalog).descriptions()
    return list(dict.fromkeys(one.shown for one in found if one.status in JUDGED_STATUSES))


def tasks_of(
    chosen: StudyItems, rater: str, seed: int, without: Collection[str], numbered: int = 0
) -> list[Task]:
    """A rater's tasks, in the rater's own random order.

    Args:
        chosen: what is judged.
        rater: the rater's pseudonym.
        seed: of the order.
        without: items that the rater has already.
        numbered: how many tasks the rater has already; numbers go on from there.
    """
    from annotator.judge.items import order
    from annotator.label_studio.task import task_of

    left = [item for item in order(chosen.items, seed, rater) if item.id not in without]
    of = numbered + len(left)
    shown = ((item, chosen.shown[item.id]) for item in left)
    return [
        task_of(item, one.head, one.said, number, of, rater)
        for number, (item, one) in enumerate(shown, start=numbered + 1)
    ]


def pseudonyms(raters: Sequence[str]) -> list[str]:
    """The raters' names, each once.

    Raises:
        SettingInvalid: one that no rater can be called by.
    """
    from annotator.label_studio.task import LONGEST_NAME, is_pseudonym

    for rater in raters:
        if not is_pseudonym(rater):
            form = f"one line of 1 to {LONGEST_NAME} letters that can be seen"
            raise SettingInvalid("rater", ascii(rater), form)
    return list(dict.fromkeys(raters))
