"""What `show` and `heads` print of a catalog with relations, descriptions and judgments."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from annotator.catalog.read import Catalog, open_catalog
from annotator.cli import main
from annotator.cli.descriptions import print_said
from annotator.cli.layout import new_console
from annotator.judge.verdicts import verdicts
from annotator.records import BASELINE, HeadId, RelationScore
from tests import large_catalog
from tests.cli.test_tables import width
from tests.commands import error_of, text_of
from tests.judge import made

Capture = pytest.CaptureFixture[str]
LAYERS, HEADS = 4, 16


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder = tmp_path_factory.mktemp("heads") / "made-up"
    large_catalog.mapped(folder, LAYERS, HEADS)
    large_catalog.related(folder)
    large_catalog.described(folder)
    large_catalog.judged(folder, 20)
    return open_catalog(folder)


@pytest.fixture(params=[60, 80, 104, 140])
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


def told(catalog: Catalog) -> dict[HeadId, list[RelationScore]]:
    """The relations of each head that it implements or suppresses."""
    found: dict[HeadId, list[RelationScore]] = {}
    for one in catalog.relation_scores():
        found.setdefault(one.head, [])
        if one.implements or one.suppresses:
            found[one.head].append(one)
    return found


def test_nothing_is_wider_than_the_terminal(
    catalog: Catalog, columns: int, capsys: Capture
) -> None:
    every = [("show", catalog.folder, head, "--rows", "45") for head in list(told(catalog))[::7]]
    every += [("heads", catalog.folder), ("heads", catalog.folder, "--relation", "antonym")]
    for args in every:
        text = text_of(capsys, *args)
        assert max(map(width, text.splitlines())) <= columns, args
        assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", text), "as text, whatever it holds"


def test_a_head_has_a_line_in_a_list(catalog: Catalog, columns: int, capsys: Capture) -> None:
    """Nothing is folded, from 80 columns on; what is said of a head is cut where it has to be."""
    if columns >= 80:
        for more in ((), ("--relation", "antonym")):
            lines = text_of(capsys, "heads", catalog.folder, *more).splitlines()
            assert len(lines) == 2 + LAYERS * HEADS
            assert all(re.match(r"L\d+H\d+ ", line) for line in lines[2:])


def test_what_is_said_stands_beside_where_there_is_room(
    catalog: Catalog, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = catalog.descriptions(llm=large_catalog.FAKE)
    described = next(one for one in said if one.pattern and "kind" in one.pattern)
    monkeypatch.setenv("COLUMNS", "80")
    assert described.pattern is not None
    assert described.pattern not in text_of(capsys, "heads", catalog.folder)
    monkeypatch.setenv("COLUMNS", "160")
    text = text_of(capsys, "heads", catalog.folder)
    line = next(line for line in text.splitlines() if line.startswith(f"{described.head} "))
    assert line.rstrip().endswith(f"  {described.inputs} → {described.pattern}")
    assert f"by {large_catalog.FAKE}" in text.splitlines()[0], "not the baseline"
    assert BASELINE not in text.splitlines()[0]
    assert "  (unclear)" in text


def test_show_says_which_relations_a_head_implements(catalog: Catalog, capsys: Capture) -> None:
    heads = told(catalog)
    head, scores = max(heads.items(), key=lambda one: len(one[1]))
    text = text_of(capsys, "show", catalog.folder, head)
    for one in scores:
        [line] = [line for line in text.splitlines() if line.startswith(f"{one.relation} ")]
        assert ("implements it" in line, "suppresses it" in line) == (
            one.implements,
            one.suppresses,
        )
        assert f" {one.phi:.2f} " in line if one.phi else " - " in line
    assert f"shared by L{head.layer}H" in text
    head = next(head for head, scores in heads.items() if not scores)
    text = text_of(capsys, "show", catalog.folder, head)
    assert "Of 25 relations it implements or suppresses none; " in text


def test_show_says_how_it_was_judged(catalog: Catalog, capsys: Capture) -> None:
    by_head: dict[HeadId, list[bool | None]] = {}
    for item, judgment in catalog.judgments():
        if judgment.pattern is not None and item.status == "described":
            accepts = judgment.precision in ("accurate", "scope") if judgment.pattern else None
            by_head.setdefault(item.head, []).append(accepts)
    assert len(by_head) > 5
    for head, accepts in list(by_head.items())[:8]:
        seen = [one for one in accepts if one is not None]
        text = " ".join(text_of(capsys, "show", catalog.folder, head).split())
        assert f"a pattern is seen by {len(seen)} of {len(accepts)} rater" in text
        if seen:
            assert f"; {sum(seen)} of {len(seen)} accept this" in text


@pytest.mark.parametrize(("status", "asked"), [("described", True), ("unclear", False)])
def test_nobody_accepts_an_abstention(status: str, asked: bool, capsys: Capture) -> None:
    """Raters are asked question 2 of one too, so that the form gives nothing away."""
    item = made.item(status=status)
    given = made.judgment(item, precision="accurate")
    print_said(new_console(), made.description(status=status), verdicts([item], [given], {}))
    shown = " ".join(capsys.readouterr().out.split())
    assert "a pattern is seen by 1 of 1 rater" in shown
    assert ("1 of 1 accept this" in shown) == asked


def test_heads_by_a_relation(catalog: Catalog, capsys: Capture) -> None:
    scores = [one for one in catalog.relation_scores() if one.relation == "antonym"]
    best = sorted(scores, key=lambda one: (-one.phi, one.head))[:5]
    args = ("heads", catalog.folder, "--relation", "antonym", "--top", "5")
    listed = re.findall(r"^(L\d+H\d+) ", text_of(capsys, *args), re.MULTILINE)
    assert listed == [str(one.head) for one in best]


def test_relations_that_are_not_there(catalog: Catalog, tmp_path: Path, capsys: Capture) -> None:
    message = error_of(capsys, "heads", catalog.folder, "--relation", "charm")
    assert "it has no relation 'charm'. Those that are there: adjective_comparative, " in message
    large_catalog.mapped(tmp_path / "bare", 1, 8)
    message = error_of(capsys, "heads", tmp_path / "bare", "--relation", "antonym")
    assert "annotator relations" in message
    text = text_of(capsys, "show", tmp_path / "bare", "L0H0")
    assert "relation" not in text
    assert "(KV head 0, shared by L0H0 to L0H7)" in text


def test_an_order_is_one(catalog: Catalog, capsys: Capture) -> None:
    for more in (("--telling",), ("--sort", "copy")):
        assert main(["heads", str(catalog.folder), "--relation", "antonym", *more]) == 2
        assert "--relation" in capsys.readouterr().err


def test_the_scores_of_one_head_are_those_among_all(catalog: Catalog) -> None:
    own = [one for one in catalog.relation_scores() if one.head == HeadId(2, 3)]
    assert catalog.relation_scores("L2H3") == catalog.relation_scores(HeadId(2, 3)) == own
    assert len(own) == 25
