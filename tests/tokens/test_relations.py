"""Relation files are read whole or refused by file, line and pair; which pairs count."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import annotator
from annotator.errors import RelationsInvalid, SettingInvalid
from annotator.records import Relation
from annotator.tokens.pairs import pairs_of
from annotator.tokens.relation_files import load_relations, name_fits
from annotator.tokens.vocabulary import Vocabulary, from_tokenizer
from tests import PATIENCE, tiny
from tests.related import WORDS, made, written

REPOSITORY = Path(annotator.__file__).parent.parent
words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=6).filter(
    lambda word: word == word.strip()
)
pairs = st.lists(st.tuples(words, words), min_size=1, max_size=8, unique=True)


def problems(path: Path) -> list[str]:
    with pytest.raises(RelationsInvalid) as caught:
        load_relations(path)
    assert caught.value.where == str(path)
    return list(caught.value.problems)


def file_of(folder: Path, text: str | bytes, name: str = "mine.json") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_ours_are_twenty_six_of_which_twenty_are_published() -> None:
    ours = load_relations()
    folder = REPOSITORY / "data" / "relations"
    said = json.loads((folder / "relations.json").read_text("utf-8"))
    assert [one.name for one in ours] == sorted(said)
    assert len(ours) == 26
    assert sum(one.published for one in ours) == 20
    for one in ours:
        listed = json.loads((folder / f"{one.name}.json").read_text("utf-8"))
        assert [list(pair) for pair in one.pairs] == listed
        for field in ("category", "description", "k", "prompt", "published"):
            assert getattr(one, field) == said[one.name][field]


@given(pairs, st.sampled_from([None, 0, 1, 4]), st.sampled_from(["", "\ufeff"]))
def test_any_words_come_out_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory,
    listed: list[tuple[str, str]],
    indent: int | None,
    mark: str,
) -> None:
    text = mark + json.dumps(listed, indent=indent, ensure_ascii=bool(indent))
    path = file_of(tmp_path_factory.mktemp("any"), text)
    assert load_relations(path) == (Relation("mine", tuple(listed)),)


PROMPT = "relations.json, mine: prompt: "
BAD: dict[str, tuple[Any, str]] = {
    "one": (["a"], "['a'] is not a pair of two texts"),
    "three": (["a", "b", "c"], "['a', 'b', 'c'] is not a pair of two texts"),
    "number": (["a", 1], "['a', 1] is not a pair of two texts"),
    "null": (None, "None is not a pair of two texts"),
    "object": ({"a": "b"}, "{'a': 'b'} is not a pair of two texts"),
    "string": ("ab", "'ab' is not a pair of two texts"),
    "empty": (["a", ""], "['a', ''] has an empty side"),
    "leading": ([" a", "b"], "[' a', 'b'] has a space at an end of a word"),
    "trailing": (["a", "b\t"], "['a', 'b\\t'] has a space at an end of a word"),
    "half": (["a", "\ud83d"], "['a', '\\ud83d'] has half a character"),
}


@given(pairs, st.sampled_from(sorted(BAD)), st.data())
def test_a_wrong_pair_is_named_with_its_line(
    tmp_path_factory: pytest.TempPathFactory,
    listed: list[tuple[str, str]],
    kind: str,
    data: st.DataObject,
) -> None:
    wrong, said = BAD[kind]
    at = data.draw(st.integers(0, len(listed)))
    elements = [json.dumps(pair) for pair in listed]
    elements.insert(at, json.dumps(wrong))
    path = file_of(tmp_path_factory.mktemp("wrong"), "[\n" + ",\n".join(elements) + "\n]")
    (problem,) = problems(path)
    assert problem.startswith(f"mine.json, line {at + 2}: {said}")


def test_a_pair_that_is_there_twice_is_named_with_both_lines(tmp_path: Path) -> None:
    path = file_of(tmp_path, '[["a", "b"],\n["a", "c"],\n\n["a", "b"]]')
    assert problems(path) == ["mine.json, line 4: ['a', 'b'] is in line 1 too"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "mine.json, line 1: it is not JSON"),
        ('[\n["a", "b"],\n["c" "d"]\n]', "mine.json, line 3: it is not JSON"),
        ('[\n["a", "b"],\n]', "mine.json, line "),
        ('{"a": "b"}', "mine.json: it is not a JSON list"),
        ("[]", "mine.json holds no pairs"),
        ('[\n["a", "caf\xe9"]\n]'.encode("latin-1"), "mine.json, line 2: it is not UTF-8"),
        ("[" * 100_000, "mine.json: it is nested beyond all bounds"),
        (f"[[1{'0' * 5000}]]", "mine.json: it is not JSON"),
    ],
)
def test_a_file_that_is_no_list_of_pairs_is_refused(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    (problem,) = problems(file_of(tmp_path, content))
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (
            {"mine": {"colour": "red"}},
            "relations.json, mine: colour: there is no such field, but category, description, k, ",
        ),
        ({"mine": {"k": 5}}, "relations.json, mine: k: it should be 10 or 1"),
        ({"mine": {"k": True}}, "relations.json, mine: k: it should be a valid integer"),
        ({"mine": {"k": "10"}}, "relations.json, mine: k: it should be a valid integer"),
        ({"mine": {"prompt": "What is it?"}}, f"{PROMPT}it should have exactly one <X>"),
        ({"mine": {"prompt": "<X> or <X>"}}, f"{PROMPT}it should have exactly one <X>"),
        ({"mine": {"prompt": 3}}, f"{PROMPT}it should be a valid string"),
        ({"mine": {"published": "yes"}}, "relations.json, mine: published: it should be a valid b"),
        ({"mine": {"category": 3}}, "relations.json, mine: category: it should be a valid string"),
        ({"mine": ["k", 10]}, "relations.json, mine: it is not a JSON object"),
        ({"other": {"k": 1}}, "relations.json speaks of other, but other.json is not there"),
        (["mine"], "relations.json: it is not a JSON object"),
    ],
)
def test_metadata_that_cannot_be_meant_is_refused(tmp_path: Path, said: Any, problem: str) -> None:
    folder = written(tmp_path, [made("mine")], said)
    (found,) = problems(folder)
    assert found.startswith(problem)


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    written(tmp_path, [made("good")], {"absent": {}, "good": {"k": 2, "size": 1}})
    file_of(tmp_path, '[["a"], ["b"]]', "bad.json")
    file_of(tmp_path, "nothing", "worse.json")
    found = problems(tmp_path)
    assert len(found) == 6
    with pytest.raises(RelationsInvalid, match="absent") as caught:
        load_relations(tmp_path)
    assert all(problem in str(caught.value) for problem in found)
    assert "data/relations/README.md" in str(caught.value)


def test_a_directory_without_any_and_a_path_to_nothing_are_refused(tmp_path: Path) -> None:
    file_of(tmp_path, "{}", "relations.json")
    file_of(tmp_path, "text", "README.md")
    file_of(tmp_path, "left by a Mac", "._mine.json")
    assert problems(tmp_path) == ["it holds no NAME.json with pairs"]
    assert problems(tmp_path / "absent") == ["absent: No such file or directory"]


@pytest.mark.parametrize(
    "name",
    ["C:\\x", "a/b", "..", ".hidden", "last.", " first", "new\nline", "", "x" * 101, "\udcff"],
)
def test_a_name_that_is_no_files_name_everywhere_will_not_do(name: str) -> None:
    assert not name_fits(name)


@pytest.mark.parametrize("name", ["antonym", "cost$in$us", "国", "a.b", "two words"])
def test_other_names_will_do(name: str) -> None:
    assert name_fits(name)


@pytest.mark.skipif(sys.platform == "win32", reason="no such file there")
def test_a_file_of_such_a_name_is_refused(tmp_path: Path) -> None:
    written(tmp_path, [made("C:\\x")])
    with pytest.raises(RelationsInvalid, match="must be named as a file can be on any system"):
        load_relations(tmp_path)


def test_what_is_said_of_one_file_stands_beside_it(tmp_path: Path) -> None:
    said = {
        "mine": {"k": 1, "category": "x", "prompt": "Is <X>", "origin": "me"},
        "other": {"k": 7},
    }
    written(tmp_path, [made("mine"), made("third")], said)
    (mine,) = load_relations(tmp_path / "mine.json")
    assert mine == made("mine", k=1, category="x", prompt="Is <X>")
    assert load_relations(str(tmp_path / "third.json")) == (made("third"),)


def test_a_single_file_may_have_any_name(tmp_path: Path) -> None:
    (one,) = load_relations(file_of(tmp_path, '[["a", "b"]]', "relations.json"))
    (tmp_path / "relations.json").unlink()
    (two,) = load_relations(file_of(tmp_path, '[["a", "b"]]', "my.pairs.txt"))
    assert (one.name, two.name) == ("relations", "my.pairs")


def test_in_a_wheel_they_are_inside_the_package(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "annotator", site / "annotator", ignore=ignored)
    inside = written(site / "annotator" / "data" / "relations", [made("inside")])
    written(site / "data" / "relations", [made("foreign")])
    code = (
        "from annotator.tokens.relation_files import load_relations as r; "
        "print(*[x.name for x in r()])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(site)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert inside.is_dir()
    assert done.stdout == "inside\n"


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return from_tokenizer(tiny.tokenizer(), tiny.VOCAB, "tiny")


def test_a_pair_counts_where_both_sides_are_one_token(vocabulary: Vocabulary) -> None:
    relation = Relation("mine", (("the", "of"), ("ing", "of"), ("the", "tion"), ("zz", "xx")))
    found = pairs_of(relation, vocabulary, tiny.VOCAB, None)
    assert found.ids == ((vocabulary.one(" the"), vocabulary.one(" of")),)
    assert found.dropped == {"source is several tokens": 2, "target is several tokens": 1}
    assert vocabulary.one("ing"), "one token without the space, which does not count"


def test_a_token_that_is_special_or_left_out_does_not_count() -> None:
    tokenizer = tiny.tokenizer()
    special = tokenizer.token_to_id("Ġthe")
    plain = from_tokenizer(tokenizer, tiny.VOCAB, "tiny")
    marked = replace(plain, special=frozenset({special}))
    relation = Relation("mine", (("the", "of"), ("of", "the"), ("of", "and")))
    found = pairs_of(relation, marked, tiny.VOCAB, None)
    assert found.dropped == {"source is a special token": 1, "target is a special token": 1}
    usable = [id for id in range(tiny.VOCAB) if id != plain.one(" of")]
    found = pairs_of(relation, plain, tiny.VOCAB, usable)
    assert found.ids == ()
    left_out = "is a token that --vocab usable leaves out"
    assert found.dropped == {f"target {left_out}": 1, f"source {left_out}": 2}


def test_a_word_that_the_tokenizer_changes_does_not_count(vocabulary: Vocabulary) -> None:
    def lowered(text: str) -> list[int]:
        return vocabulary.encode(text.lower())

    changing = replace(vocabulary, encode=lowered)
    found = pairs_of(Relation("mine", (("The", "of"),)), changing, tiny.VOCAB, None)
    assert found.dropped == {"source is not in the vocabulary as it is written": 1}


@given(st.lists(st.tuples(*[st.one_of(st.sampled_from(WORDS), words)] * 2), unique=True))
def test_every_pair_counts_or_is_dropped_for_a_reason(listed: list[tuple[str, str]]) -> None:
    vocabulary = from_tokenizer(tiny.tokenizer(), tiny.VOCAB, "tiny")
    found = pairs_of(Relation("mine", tuple(listed)), vocabulary, tiny.VOCAB, None)
    kept = [pair for pair in listed if {*pair} <= {*WORDS}]
    assert [tuple(vocabulary.text(id) for id in pair) for pair in found.ids] == [
        (f" {source}", f" {target}") for source, target in kept
    ]
    assert sum(found.dropped.values()) == len(listed) - len(kept)


@pytest.mark.parametrize(
    ("k", "rows", "here"), [(10, 99_999, 10), (10, 100_000, 25), (1, 99_999, 1), (1, 100_000, 3)]
)
def test_k_is_larger_where_the_vocabulary_is(
    vocabulary: Vocabulary, k: int, rows: int, here: int
) -> None:
    assert pairs_of(made("mine", k=k), vocabulary, rows, None).k == here


def test_another_k_is_refused(vocabulary: Vocabulary) -> None:
    with pytest.raises(SettingInvalid, match="k of mine = 5"):
        pairs_of(made("mine", k=5), vocabulary, tiny.VOCAB, None)
