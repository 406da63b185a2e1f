"""The relation pairs and what is said of them; on SmolLM2, how many of them count."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from annotator.errors import TokenInvalid
from annotator.tokens.load import load_vocabulary
from annotator.tokens.vocabulary import Vocabulary
from annotator.weights.model import open_model

FOLDER = Path(__file__).parent.parent / "data" / "relations"
METADATA = FOLDER / "relations.json"
FIELDS = {"category", "description", "published", "k", "multi", "prompt", "origin", "licence"}
CATEGORIES = {
    "algorithmic": "copying name_copying first_letter last_letter following_year upper_case",
    "knowledge": "country_capital country_language object_superclass product_company "
    "work_location country_demonym country_currency city_country",
    "linguistic": "adjective_comparative adjective_superlative antonym noun_pronoun "
    "verb_past_tense homophone synonym compound singular_plural opposite_gender",
    "translation": "english_french english_spanish",
}
CATEGORY = {name: category for category, names in CATEGORIES.items() for name in names.split()}
OUR_OWN = {
    *("singular_plural", "country_demonym", "country_currency"),
    *("city_country", "opposite_gender", "upper_case"),
}
PROMPTED = {
    "country_capital",
    "country_language",
    "product_company",
    "object_superclass",
    "adjective_comparative",
    "verb_past_tense",
    "first_letter",
    "last_letter",
    "following_year",
    "copying",
    "name_copying",
    "noun_pronoun",
    "english_spanish",
}
SYMMETRIC = ["antonym", "homophone", "opposite_gender"]
RULES = {
    "copying": lambda source: source,
    "name_copying": lambda source: source,
    "first_letter": lambda source: source[0],
    "last_letter": lambda source: source[-1],
    "following_year": lambda source: str(int(source) + 1),
    "upper_case": str.upper,
}
# Pairs wanted on SmolLM2; 60 where nothing is said. It writes every digit as a token of its own,
# so that it has no years. Its vocabulary has 51 superlatives, and all are here.
WANTED = {
    "following_year": 0,
    "adjective_superlative": 50,
    "english_french": 30,
    "english_spanish": 30,
}


def pairs(name: str) -> list[tuple[str, str]]:
    return [(source, target) for source, target in json.loads(path(name).read_text("utf-8"))]


def path(name: str) -> Path:
    return FOLDER / f"{name}.json"


@pytest.fixture(scope="module")
def metadata() -> dict[str, Any]:
    return json.loads(METADATA.read_text("utf-8"))


@pytest.fixture(scope="module")
def vocabulary(real_gguf: Path) -> Vocabulary:
    model = open_model(real_gguf)
    return load_vocabulary(model.source, model.dims.vocab)


def counts(vocabulary: Vocabulary, word: str) -> bool:
    """Whether a word, with a leading space, is one token, and not a special one."""
    try:
        return vocabulary.one(" " + word) not in vocabulary.special
    except TokenInvalid:
        return False


def test_the_files_are_the_relations_of_the_design(metadata: dict[str, Any]) -> None:
    stems = {file.stem for file in FOLDER.glob("*.json")} - {METADATA.stem}
    assert stems == metadata.keys() == CATEGORY.keys()


@pytest.mark.parametrize("name", CATEGORY)
def test_a_file_is_sorted_pairs_of_plain_words_one_a_line(name: str) -> None:
    found = pairs(name)
    lines = ",\n".join("  " + json.dumps(list(pair), ensure_ascii=False) for pair in found)
    assert path(name).read_text("utf-8") == f"[\n{lines}\n]\n"
    assert found == sorted(found)
    assert [pair for pair, times in Counter(found).items() if times > 1] == []
    assert [word for pair in found for word in pair if not word or word != word.strip()] == []


@pytest.mark.parametrize("name", CATEGORY)
def test_metadata_says_what_a_relation_is(metadata: dict[str, Any], name: str) -> None:
    entry = metadata[name]
    assert entry.keys() == FIELDS
    assert entry["category"] == CATEGORY[name]
    assert entry["published"] is (name not in OUR_OWN)
    assert entry["k"] == (1 if name in ("copying", "name_copying") else 10)
    sources = [source for source, _ in pairs(name)]
    assert entry["multi"] is (len(set(sources)) < len(sources))
    assert re.fullmatch(r"[A-Z][^.]+\.", entry["description"])
    assert entry["origin"]
    assert entry["licence"]


@pytest.mark.parametrize("name", CATEGORY)
def test_thirteen_relations_have_a_prompt_that_answers_no_pair(
    metadata: dict[str, Any], name: str
) -> None:
    prompt = metadata[name]["prompt"]
    if name not in PROMPTED:
        assert prompt is None
        return
    assert prompt.count(" <X>") == prompt.count("<X>") == 1, "the source comes after a space"
    assert prompt == prompt.rstrip(), "the answer brings its own space"
    words = set(re.findall(r"[^\W_]+", prompt.replace("<X>", "")))
    given = [pair for pair in pairs(name) if {*pair} <= words]
    assert given == []


@pytest.mark.parametrize("name", CATEGORY)
def test_a_target_is_the_source_only_where_that_is_the_relation(name: str) -> None:
    rule = RULES.get(name)
    if rule:
        assert [pair for pair in pairs(name) if pair[1] != rule(pair[0])] == []
    if name not in ("copying", "name_copying"):
        assert [pair for pair in pairs(name) if pair[0] == pair[1]] == []


@pytest.mark.parametrize("name", SYMMETRIC)
def test_what_holds_both_ways_is_there_both_ways(name: str) -> None:
    found = set(pairs(name))
    assert {(target, source) for source, target in found} == found


def test_enough_pairs_count_on_smollm2(
    vocabulary: Vocabulary, capsys: pytest.CaptureFixture[str]
) -> None:
    valid = {
        name: sum(all(counts(vocabulary, word) for word in pair) for pair in pairs(name))
        for name in CATEGORY
    }
    with capsys.disabled():
        print(f"\n\n{'relation':24}{'pairs':>7}{'on SmolLM2':>12}")
        for name, count in valid.items():
            print(f"{name:24}{len(pairs(name)):7,}{count:12,}")
    few = {name: count for name, count in valid.items() if count < WANTED.get(name, 60)}
    assert few == {}
