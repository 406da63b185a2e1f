"""Relation files: lists of pairs, and what is said of them, read and checked before they are used.

A directory holds `NAME.json` for each relation, a JSON list of `["source", "target"]` pairs, and
may hold `relations.json`, an object that says of each what it is. All problems are named at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from annotator.errors import RelationsInvalid
from annotator.json_file import JsonInvalid, checked, read_json
from annotator.paths import shipped, user_path
from annotator.records import Relation

ABOUT_FILE = "relations.json"
PLACEHOLDER = "<X>"
"""What stands for the source in a prompt."""

NAMED = 'named as a file can be on any system (no / \\ : * ? " < > |, no leading or last dot)'
_NAME = re.compile(r"""(?![.\s])[^\x00-\x1f\x7f/\\:*?"<>|\ud800-\udfff]{1,100}(?<![.\s])""")
_SEPARATOR = re.compile(r"[\s,]*")


def _must(fit: Callable[[Any], bool], reason: str) -> AfterValidator:
    def require(value: Any) -> Any:
        if not fit(value):
            raise ValueError(reason)
        return value

    return AfterValidator(require)


_ASKS = _must(lambda s: s.count(PLACEHOLDER) == 1, f"it should have exactly one {PLACEHOLDER}")


class _About(BaseModel):
    """What may be said of a relation; what is excluded is for readers alone."""

    model_config = ConfigDict(extra="forbid", strict=True)

    category: str = ""
    description: str = ""
    k: Annotated[int, _must((1, 10).__contains__, "it should be 10 or 1")] = 10
    prompt: Annotated[str, _ASKS] | None = None
    published: bool = False
    multi: bool = Field(False, exclude=True)
    origin: str = Field("", exclude=True)
    licence: str = Field("", exclude=True)


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
    spoken = metadata.is_file() and place.name != ABOUT_FILE
    said = (spoken and _read(metadata, dict[str, Any], problems)) or {}
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


def _fields(name: str, said: Any, problems: list[str]) -> dict[str, Any]:
    """What is said of one relation, checked."""
    try:
        return checked(said, _About).model_dump(exclude_unset=True)
    except JsonInvalid as error:
        problems.extend(f"{ABOUT_FILE}, {name}: {fault}" for fault in error.faults)
        return {}


def _pairs(file: Traversable, problems: list[str]) -> tuple[tuple[str, str], ...]:
    """The pairs of one file."""
    value = _read(file, list[Any], problems)
    if not value:
        problems += [f"{file.name} holds no pairs"] if value == [] else []
        return ()
    text = file.read_bytes().decode("utf-8-sig")
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
    """What is wrong with an element of the list; None: it is a pair of words.

    By hand: a pydantic model, asked line by line, is as long, takes 0.2 s for the 14,745 pairs that
    are shipped in place of 0.07, and speaks of tuples; of a whole list it would know no lines.
    """
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


def _read(file: Traversable, kind: Any, problems: list[str]) -> Any:
    """What a file says; None where it is not of that kind or cannot be read, and a problem more."""
    try:
        return read_json(file, kind)
    except JsonInvalid as error:
        problems.append(f"{file.name}{': ' if error.line is None else ', '}{error}")
        return None
