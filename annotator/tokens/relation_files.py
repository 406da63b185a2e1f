"""Relation files: lists of pairs, and what is said of them, read and checked before they are used.

A directory holds `NAME.json` for each relation, a JSON list of `["source", "target"]` pairs, and
may hold `relations.json`, an object that says of each what it is. All problems are named at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from annotator.errors import RelationsInvalid
from annotator.json_file import JsonInvalid, read_json
from annotator.paths import shipped, user_path
from annotator.records import Relation

ABOUT_FILE = "relations.json"
PLACEHOLDER = "<X>"
"""What stands for the source in a prompt."""

NAMED = 'named as a file can be on any system (no / \\ : * ? " < > |, no leading or last dot)'
_NAME = re.compile(r"""(?![.\s])[^\x00-\x1f\x7f/\\:*?"<>|\ud800-\udfff]{1,100}(?<![.\s])""")
_SEPARATOR = re.compile(r"[\s,]*")
_KEPT = ("category", "description", "k", "prompt", "published")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _switch(value: Any) -> bool:
    return isinstance(value, bool)


_FIELDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "category": (_text, "a text"),
    "description": (_text, "a text"),
    "k": (lambda value: type(value) is int and value in (1, 10), "10 or 1"),
    "prompt": (
        lambda value: value is None or (_text(value) and value.count(PLACEHOLDER) == 1),
        f"a text with exactly one {PLACEHOLDER}, or null",
    ),
    "published": (_switch, "true or false"),
    "multi": (_switch, "true or false"),
    "origin": (_text, "a text"),
    "licence": (_text, "a text"),
}
"""What may be said of a relation, and what it must be."""


def load_relations(path: str | Path | None = None) -> tuple[Relation, ...]:
    """Read relations, by name.

    Args:
        path: a directory of NAME.json, with relations.json where there is something to say of
            them; or one such file, its relations.json beside it; None: the ones that are shipped.

    Raises:
        RelationsInvalid: they are not there, or not as they must be; every problem is named, with
            file, line and pair.
    """
    place = shipped("data") / "relations" if path is None else user_path(path)
    problems: list[str] = []
    whole = place.is_dir()
    metadata = place / ABOUT_FILE if whole else Path(str(place)).with_name(ABOUT_FILE)
    files = {Path(file.name).stem: file for file in _files(place, problems)}
    said = {} if place.name == ABOUT_FILE else _said(metadata, problems)
    for name in sorted(said.keys() - files.keys()) if whole else ():
        problems.append(f"{ABOUT_FILE} speaks of {name}, but {name}.json is not there")
    relations: list[Relation] = []
    for name, file in files.items():
        if not name_fits(name):
            problems.append(f"{file.name!r}: a relation must be {NAMED}")
        pairs = _pairs(file, problems)
        fields = _fields(name, said.get(name, {}), problems)
        relations.append(Relation(name, pairs, **fields))
    if problems:
        raise RelationsInvalid(str(place), problems)
    return tuple(relations)


def name_fits(name: str) -> bool:
    """Whether a relation's name will do as the name of a file, wherever a catalog is taken."""
    return _NAME.fullmatch(name) is not None


def _files(place: Traversable, problems: list[str]) -> list[Traversable]:
    """The files of pairs, by name."""
    if not place.is_dir():
        return [place]
    try:
        present = sorted(place.iterdir(), key=lambda file: file.name)
    except OSError as error:
        problems.append(error.strerror or str(error))
        return []
    files = [
        file
        for file in present
        if file.name.endswith(".json") and file.name != ABOUT_FILE and not file.name.startswith(".")
    ]
    if not files:
        problems.append("it holds no NAME.json with pairs")
    return files


def _said(file: Traversable, problems: list[str]) -> Mapping[str, Any]:
    """What the metadata file says, by relation; nothing where there is no such file."""
    if not file.is_file():
        return {}
    content = _json(file, problems)
    if content is None:
        return {}
    if not isinstance(content[1], dict):
        problems.append(f"{file.name} is not a JSON object that says what each relation is")
        return {}
    return content[1]


def _fields(name: str, said: Any, problems: list[str]) -> dict[str, Any]:
    """What is said of one relation, checked."""
    where = f"{ABOUT_FILE}, {name}"
    if not isinstance(said, dict):
        problems.append(f"{where}: {said!r:.60} is not a JSON object")
        return {}
    fields: dict[str, Any] = {}
    for field, value in said.items():
        fits, allowed = _FIELDS.get(field, (None, ""))
        if fits is None:
            problems.append(f"{where}: {field!r} is not a field; known are {', '.join(_FIELDS)}")
        elif not fits(value):
            problems.append(f"{where}: {field} = {value!r:.60} will not do; it must be {allowed}")
        elif field in _KEPT:
            fields[field] = value
    return fields


def _pairs(file: Traversable, problems: list[str]) -> tuple[tuple[str, str], ...]:
    """The pairs of one file."""
    content = _json(file, problems)
    if content is None:
        return ()
    text, value = content
    if not isinstance(value, list):
        problems.append(f"{file.name} is not a JSON list of pairs")
        return ()
    if not value:
        problems.append(f"{file.name} holds no pairs")
    lines: dict[tuple[str, str], int] = {}
    for line, pair in _elements(text):
        problem = _problem(pair)
        if problem is None and (pair[0], pair[1]) in lines:
            problem = f"is in line {lines[pair[0], pair[1]]} too"
        if problem is None:
            lines[pair[0], pair[1]] = line
        else:
            problems.append(f"{file.name}, line {line}: {pair!r:.60} {problem}")
    return tuple(lines)


def _problem(pair: Any) -> str | None:
    """What is wrong with an element of the list; None: it is a pair of words."""
    if not (
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(word, str) for word in pair)
    ):
        return "is not a pair of two texts"
    if not all(pair):
        return "has an empty side"
    if any(word != word.strip() for word in pair):
        return "has a space at an end of a word (the leading one is added when it is tokenised)"
    if any("\ud800" <= char <= "\udfff" for word in pair for char in word):
        return "has half a character (a lone surrogate)"
    return None


def _elements(text: str) -> Iterator[tuple[int, Any]]:
    """The elements of a JSON list, each with the line that it begins on."""
    decoder = json.JSONDecoder()
    end, line = text.index("[") + 1, 1 + text.count("\n", 0, text.index("["))
    while True:
        start = _SEPARATOR.match(text, end).end()  # pyright: ignore[reportOptionalMemberAccess]
        line += text.count("\n", end, start)
        if text[start] == "]":
            return
        element, end = decoder.raw_decode(text, start)
        yield line, element
        line += text.count("\n", start, end)


def _json(file: Traversable, problems: list[str]) -> tuple[str, Any] | None:
    """A file's text, and what it says; None where it cannot be read, and a problem more."""
    try:
        value = read_json(file)
    except JsonInvalid as error:
        where = "" if error.line is None else f", line {error.line}"
        problems.append(f"{file.name}{where}: {error.reason}")
        return None
    return file.read_bytes().decode("utf-8-sig"), value
