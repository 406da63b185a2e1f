"""Whoever shows a number of a study shows the same one: terminal, page, card and files."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import annotator
from annotator.catalog.descriptions import LEDGER
from annotator.catalog.read import Catalog, open_catalog
from annotator.judge.kinds import KINDS
from annotator.ledger.judgments import Judgments
from annotator.ledger.ledger import Ledger
from annotator.pipeline.judge_items import plan_study
from annotator.pipeline.judge_report import study_report
from annotator.records import ACCEPTED, REAL, Item, Judgment
from annotator.views.site.data import short
from tests.before.files import again
from tests.before.make import printed
from tests.judge import toy
from tests.judge.made import judgment

RATERS = ("ada", "ben", "zoe")
Given = Sequence[tuple[int, str, bool | None, str, str]]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[Item]]]:
    """A catalog whose describers' texts are items, real and toys, that nobody has answered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(KINDS, toy.NAME, "tests.judge.toy")
        patch.setenv("COLUMNS", "100")
        catalog = again(tmp_path_factory.mktemp("asked") / "catalog")
        opened = open_catalog(catalog)
        names = dict.fromkeys(one.describer for one in opened.descriptions())
        chosen = [plan_study(opened, name, None, (REAL, toy.NAME)).items for name in names]
        items = [item for some in chosen for item in some]
        with Ledger(catalog / LEDGER) as ledger:
            Judgments(ledger).add_items(items)
            ids = {one.item for one in Judgments(ledger).all()}
        yield catalog, [item for item in items if item.id not in ids]


def recorded(catalog: Path, items: Sequence[Item], given: Given) -> None:
    judgments: list[Judgment] = []
    for number, (at, rater, pattern, precision, category) in enumerate(given):
        answers = (precision, category) if pattern else (None, None)
        more = dict(zip(("precision", "category"), answers, strict=True))
        item = items[at % len(items)]
        judgments.append(
            judgment(item, rater, pattern, annotation=f"{number}", at=2e9 + number, **more)
        )
    with Ledger(catalog / LEDGER) as ledger:
        Judgments(ledger).record((one, {}) for one in judgments)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def data(site: Path, name: str) -> Any:
    text = (site / "data" / f"{name}.js").read_text("ascii")
    return json.loads(text[text.index(",") + 1 : text.rindex(")")])


def counted(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """By hand, as docs/definitions.md, "Accepted, strict", has it."""
    answered = [row for row in rows if not row["skipped"]]
    seen = [row for row in answered if row["pattern"]]
    described = [row for row in seen if row["status"] == "described"]
    return {
        "answered": len(answered),
        "skipped": len(rows) - len(answered),
        "seen": len(seen),
        "described": len(described),
        "accepted": sum(row["precision"] in ACCEPTED for row in described),
        "strict": sum(row["precision"] == "accurate" for row in described),
    }


def same_in_files(out: Path) -> None:
    """The rows of sums are the counts of the rows of answers."""
    judged = lines(out / "judgments.jsonl")
    for name, by in (
        ("verdicts", ("describer", "kind", "item")),
        ("studies", ("describer", "kind")),
    ):
        for row in lines(out / f"{name}.jsonl"):
            own = [one for one in judged if all(one[column] == row[column] for column in by)]
            wanted = counted(own)
            assert {column: row[column] for column in wanted} == wanted
            share = wanted["accepted"] / wanted["described"] if wanted["described"] else None
            assert row["accepted_share"] == share


def same_in_the_terminal(catalog: Catalog, out: Path) -> None:
    for row in lines(out / "verdicts.jsonl"):
        if row["kind"] != REAL:
            continue
        current = [
            one for one in catalog.descriptions(row["id"].split("/")[1]) if one.key == row["key"]
        ]
        told = printed(catalog.folder, f"show CATALOG {row['id'].split('/')[1]}")
        seen = f"a pattern is seen by {row['seen']} of {row['answered']} rater"
        accept = f"{row['accepted']} of {row['described']} accept this"
        if current and row["answered"]:
            assert seen in told
            assert (accept in told) or not row["described"]
    for row in lines(out / "studies.jsonl"):
        if row["kind"] == REAL:
            told = printed(catalog.folder, f"judge report CATALOG --llm {_word(row)}")
            for name in ("accepted", "strict"):
                wanted = f"{row[name]} of {row['described']}" if row["described"] else "none"
                assert re.search(rf"^  {name} .* {wanted}$", told, re.MULTILINE), told
            assert f"{row['answered']} answer" in told


def _word(row: dict[str, Any]) -> str:
    """Its full name, or a clear part of it without a space."""
    return row["describer"].split(" ")[-1] if " " in row["describer"] else row["describer"]


def same_on_the_page(site: Path, out: Path) -> None:
    overview, results = data(site, "overview"), data(site, "results")
    names = [one["describer"] for one in overview["describers"]]
    verdicts = {(row["describer"], row["item"]): row for row in lines(out / "verdicts.jsonl")}
    found: dict[Any, Any] = {}
    for layer in range(overview["dims"]["n_layers"]):
        for head in data(site, f"layer-{layer}")["heads"]:
            found |= {(names[one["describer"]], one["item"]): one for one in head["verdicts"]}
    assert found.keys() == verdicts.keys()
    for which, one in found.items():
        for name, value in one.items():
            if name in verdicts[which] and name != "describer":
                wanted = verdicts[which][name]
                assert value == (short(wanted) if isinstance(wanted, float) else wanted)
    studies = {(row["describer"], row["kind"]): row for row in lines(out / "studies.jsonl")}
    for one in results["study"]:
        for kind, total in {REAL: one["total"], **one["others"]}.items():
            row = studies.get((names[one["describer"]], kind))
            shown = (total["answered"], total["accepted"]["count"], total["accepted"]["of"])
            assert shown == (
                (row["answered"], row["accepted"], row["described"]) if row else (0, 0, 0)
            )


def same_in_colours(site: Path, out: Path) -> None:
    overview = data(site, "overview")
    names = [one["describer"] for one in overview["describers"]]
    real = [row for row in lines(out / "verdicts.jsonl") if row["kind"] == REAL]
    for one in overview["judged"]:
        mine = [row for row in real if row["describer"] == names[one["describer"]]]
        own = {(row["layer"], row["head"]): row for row in mine}
        for at, (of, share) in enumerate(zip(one["answers"], one["accepted"], strict=True)):
            row = own.get(divmod(at, overview["dims"]["n_heads"]), {"described": 0})
            wanted = (row["described"], short(row["accepted_share"]) if row["described"] else None)
            assert (of, share) == wanted


def same_on_the_card(card: str, out: Path) -> None:
    kinds = "kind" if "| on | kind |" in card else None
    for row in lines(out / "studies.jsonl"):
        cells = [row["kind"]] if kinds else []
        cells += [row[n] for n in ("answered", "skipped", "seen", "described", "accepted")]
        end = " | ".join(map(str, cells))
        assert f"| {end} |" in card


ANSWERS = st.tuples(
    st.integers(0, 40),
    st.sampled_from(RATERS),
    st.sampled_from([True, True, False, None]),
    st.sampled_from(["accurate", "scope", "partial", "poor"]),
    st.sampled_from(["semantic", "language", "general", "unnatural"]),
)


@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ANSWERS, min_size=1, max_size=60))
def test_every_number_is_the_same_everywhere(asked: tuple[Path, list[Item]], given: Given) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place) / "catalog", Path(place) / "out"
        shutil.copytree(asked[0], folder)
        recorded(folder, asked[1], given)
        catalog = open_catalog(folder)
        annotator.export(catalog, "jsonl", out, progress=False)
        same_in_files(out)
        same_in_the_terminal(catalog, out)
        annotator.export(catalog, "site", Path(place) / "site", progress=False)
        same_on_the_page(Path(place) / "site", out)
        same_in_colours(Path(place) / "site", out)
        card, *_ = annotator.export(catalog, "hf", Path(place) / "hf", progress=False)
        same_on_the_card(card.read_text("utf-8"), out)
        every, _ = study_report(folder)
        rows = [row for row in lines(out / "judgments.jsonl") if row["kind"] == REAL]
        once = {(row["item"], row["rater"]): row for row in rows}
        assert every.total.answered == counted(list(once.values()))["answered"]
