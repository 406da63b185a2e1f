"""Describers: spelled one way, named by any part that is clear, told apart by prompt and name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import annotator
from annotator.catalog.describers import Describers, shorts
from annotator.catalog.read import Catalog, open_catalog
from annotator.describe.prompt import read_template
from annotator.errors import DescriberUnknown, NameTaken, SettingInvalid
from annotator.pipeline.describe_result import DescribeResult
from annotator.records import Describer
from tests.before import make
from tests.before.files import again
from tests.commands import error_of, text_of

A, B = "1a2b3c4d" + "a" * 56, "9f8e7d6c" + "b" * 56
STRONG, SERVED, OTHER = "openai:strong", "openai:strong@http://u:p@10.1.2.3/v1", "anthropic:other"
ONE, TWO, NAMED = Describer(STRONG, A), Describer(STRONG, B), Describer(STRONG, B, "v2")
AWAY, ALONE, RULES = Describer(SERVED, A), Describer(OTHER, A), Describer("rules", "")
ALL = Describers([STRONG, SERVED], [ONE, TWO, NAMED, AWAY, ALONE, RULES])


def test_names_in_full_and_in_short() -> None:
    assert list(map(ALL.full, ALL.there)) == [
        *("openai:strong#1a2b3c4d", "openai:strong#9f8e7d6c", "openai:strong#v2"),
        *("openai:strong (2)#1a2b3c4d", "anthropic:other#1a2b3c4d", "rules"),
    ]
    assert list(map(ALL.short, ALL.there)) == [
        *("openai:strong#1a2b3c4d", "openai:strong#9f8e7d6c", "openai:strong#v2"),
        *("openai:strong (2)", "anthropic:other", "rules"),
    ]
    pairs = [(ALL.llm(one), ALL.full(one)) for one in ALL.there]
    assert shorts(pairs) == {ALL.full(one): ALL.short(one) for one in ALL.there}


@pytest.mark.parametrize(
    ("named", "who"),
    [
        ("openai:strong#1a2b3c4d", ONE),
        ("strong#1a2b", ONE),
        ("#9f8e", TWO),
        ("9f8e7d6c", TWO),
        ("openai:strong#v2", NAMED),
        ("#v2", NAMED),
        ("v2", NAMED),
        (SERVED, AWAY),
        ("openai:strong (2)", AWAY),
        ("10.1.2.3", AWAY),
        ("anthropic:other", ALONE),
        ("other", ALONE),
        ("anthropic", ALONE),
        ("rules", RULES),
        ("rul", RULES),
    ],
)
def test_any_part_that_is_clear_is_taken(named: str, who: Describer) -> None:
    assert ALL.find(named) == who


@pytest.mark.parametrize(
    ("named", "candidates"),
    [
        ("openai:strong", [ONE, TWO, NAMED]),
        ("#1a2b3c4d", [ONE, AWAY, ALONE]),
        ("strong", [ONE, TWO, NAMED, AWAY]),
        ("", list(ALL.there)),
    ],
)
def test_what_may_mean_several_is_refused_with_their_names(
    named: str, candidates: list[Describer]
) -> None:
    with pytest.raises(DescriberUnknown, match="several who have described heads") as caught:
        ALL.find(named)
    assert caught.value.candidates == list(map(ALL.full, candidates))
    assert "10.1.2.3" not in str(caught.value)


def test_nobody() -> None:
    with pytest.raises(DescriberUnknown, match="by gpt; there are descriptions by openai:strong#1"):
        ALL.find("gpt")
    with pytest.raises(DescriberUnknown, match="no head is described yet"):
        Describers([], []).find("gpt")


def test_prompts_that_begin_alike_are_told_apart() -> None:
    two = [Describer(STRONG, A), Describer(STRONG, A[:8] + "c" * 56)]
    names = Describers([STRONG], two)
    assert {names.full(one) for one in two} == {f"{STRONG}#{one.template}" for one in two}
    assert [names.find(names.full(one)) for one in two] == two


WHO = st.builds(
    Describer,
    st.sampled_from([STRONG, SERVED, OTHER, "openai:strong (2)", "local:/a/rules", "x"]),
    st.sampled_from(["", A, B, A[:8] + "c" * 56]),
    st.just("") | st.from_regex(r"[A-Za-z_][\w.-]{0,3}", fullmatch=True),
)


@given(st.lists(WHO, unique=True, max_size=6), st.booleans())
def test_every_describer_is_found_by_its_full_name(there: list[Describer], rules: bool) -> None:
    names = Describers([], [*there, *([RULES] if rules else [])])
    full = list(map(names.full, names.there))
    assert len({*full}) == len(full)
    assert [names.find(name) for name in full] == list(names.there)
    assert [names.find(names.short(one)) for one in names.there if names.short(one) in full] == [
        one for one in names.there if names.short(one) in full
    ]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return open_catalog(again(tmp_path / "catalog"))


def test_commands_and_python_take_any_part(
    catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, *_ = (one.describer for one in catalog.descriptions("L0H0"))
    assert {one.describer for one in catalog.descriptions(llm=second[-8:])} == {second}
    listed = text_of(capsys, "descriptions", catalog.folder, "--llm", first)
    assert listed.startswith(f"{first}\n")
    assert second not in listed
    export = ("judge", "export", catalog.folder, "--rater", "eve", "--out", tmp_path / "out")
    assert text_of(capsys, *export, "--llm", second[-8:])
    report = ("judge", "report", catalog.folder)
    assert f"Descriptions by {second}." in text_of(capsys, *report, "--llm", second[-6:])
    for command in (("descriptions", catalog.folder), export, report):
        said = error_of(capsys, *command, "--llm", "openai:strong#")
        assert said.startswith("several who have described heads are called openai:strong#; name")
        assert f"{first}, {second}." in said
        assert "no head is described by gpt" in error_of(capsys, *command, "--llm", "gpt")
    with pytest.raises(DescriberUnknown):
        catalog.descriptions(llm="openai:strong#")


def named(folder: Path, name: str) -> DescribeResult:
    """L0H0, described under a name."""
    asked = make.Scripted(STRONG, {"L0H0": make.SAME})
    return annotator.describe_heads(folder, asked, heads=["L0H0"], name=name, progress=False)


def test_a_name_of_ones_own(catalog: Catalog) -> None:
    folder = catalog.folder
    named(folder, "v2")
    assert [one.shown for one in catalog.descriptions("L0H0")][2] == "openai:strong#v2"
    told = named(folder, "v3")
    assert (told.sent, told.before) == (0, 1), "the same request is paid once"
    assert {one.name for one in catalog.descriptions("L0H0")} == {"", "v2", "v3"}
    assert {one.name for one in catalog.descriptions(llm="v3")} == {"v3"}


def test_a_name_that_is_taken_is_refused_before_anything_is_sent(
    catalog: Catalog, tmp_path: Path
) -> None:
    named(catalog.folder, "v2")
    asked = make.Scripted(OTHER, {"L0H3": make.SAME})
    with pytest.raises(NameTaken, match="--as v2 stands for openai:strong"):
        annotator.describe_heads(catalog.folder, asked, heads=["L0H3"], name="v2", progress=False)
    (tmp_path / "describe_head.jinja").write_text(make.TEMPLATE, "utf-8")
    asked = make.Scripted(STRONG, {"L0H3": make.SAME})
    more = {"heads": ["L0H3"], "name": "v2", "prompts": tmp_path, "progress": False}
    with pytest.raises(NameTaken, match="Nothing was sent"):
        annotator.describe_heads(catalog.folder, asked, **more)
    assert catalog.descriptions("L0H3") == []


@pytest.mark.parametrize("name", ["1a2b3c4d", "a b", "#v2", "x" * 41, "ä", "-v", A])
def test_what_is_no_name(catalog: Catalog, name: str) -> None:
    with pytest.raises(SettingInvalid, match="letters, digits"):
        annotator.describe_heads(catalog.folder, "openai:x", heads=["L0H0"], name=name)
    with pytest.raises(SettingInvalid, match="the baseline"):
        annotator.describe_heads(catalog.folder, "rules", heads=["L0H0"], name="v2")


def test_judgments_say_which_description_was_seen(catalog: Catalog) -> None:
    rows = catalog.table("judgments").to_pylist()
    said = {
        (row["key"], row["describer"]): row for row in catalog.table("descriptions").to_pylist()
    }
    for row in rows:
        seen = said[row["key"], row["describer"]]
        assert (row["template"], row["status"]) == (seen["template"], seen["status"])
        assert (row["layer"], row["head"]) == (seen["layer"], seen["head"])
    anew = [row for row in rows if (row["layer"], row["head"]) == (0, 0)]
    assert [row["precision"] for row in anew] == [None, "scope", "partial"]
    assert len({row["key"] for row in anew}) == 2


def test_what_was_judged_is_exported_though_superseded(catalog: Catalog, tmp_path: Path) -> None:
    """The same prompt with another limit is the same describer, who has said something else."""
    wide = make.Scripted(STRONG, {"L0H0": make.SAME, "L0H3": make.SAME})
    request = wide.request

    def wider(system: str, prompt: str, template: str, sample: int = 0) -> object:
        one = request(system, prompt, template, sample)
        return type(one)(**{**vars(one), "sampling": {"max_tokens": 9}})

    wide.request = wider
    annotator.describe_heads(catalog.folder, wide, heads=["L0H0", "L0H3"], progress=False)
    default = read_template().digest
    annotator.export(catalog, "parquet", tmp_path, progress=False)
    rows = annotator.open_catalog(catalog.folder).table("descriptions").to_pylist()
    own = [row for row in rows if row["template"] == default and row["llm"] == STRONG]
    assert [row["superseded"] for row in own if (row["layer"], row["head"]) == (0, 0)] == [
        True,
        False,
    ]
    assert len(catalog.descriptions("L0H0", llm=own[0]["describer"])) == 1
    judged = {row["key"] for row in catalog.table("verdicts").to_pylist()}
    assert judged <= {row["key"] for row in rows}
