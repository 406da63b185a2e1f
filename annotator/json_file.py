"""JSON from outside, read in one way: all that is wrong with a file is one error."""

from __future__ import annotations

import json
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

MOST_JSON_BYTES = 1 << 25
"""32 MiB; the largest index of shards that is about has a third of it."""
_OUR_WORDS = {
    "extra_forbidden": "there is no such field, but {fields}",
    "list_type": "it is not a JSON list",
    **dict.fromkeys(("dict_type", "model_type", "dataclass_type"), "it is not a JSON object"),
}
"""What pydantic says of Python's objects, said of JSON."""


class JsonInvalid(ValueError):
    """What cannot be read as JSON, or holds something else than it should.

    Attributes:
        faults: all that is wrong, each with its place; nothing that it holds is repeated.
        line: where it is no JSON.
    """

    def __init__(self, *faults: str, line: int | None = None) -> None:
        super().__init__(("" if line is None else f"line {line}: ") + "; ".join(faults))
        self.faults, self.line = faults, line


class JsonUnreadable(JsonInvalid):
    """A file that cannot be read at all."""


def read_json(file: Path | Traversable, kind: Any = Any, most: int = MOST_JSON_BYTES) -> Any:
    """What a file says.

    Args:
        file: in UTF-8, with or without a mark of its byte order.
        kind: what it has to hold; see `checked`.
        most: bytes of a file that is read; each takes up to twenty of memory.

    Raises:
        JsonInvalid: it cannot be read (JsonUnreadable), is larger, is no JSON (nested beyond all
            bounds, say), or holds something else.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(most + 1)
    except OSError as error:
        raise JsonUnreadable(error.strerror or str(error)) from error
    if len(content) > most:
        raise JsonInvalid(f"it has more than {most:,} bytes, as no file of its kind")
    return checked(_parsed(content), kind)


def checked(value: Any, kind: Any) -> Any:
    """What the json module read, as what it has to be: a type, as pydantic reads those.

    Raises:
        JsonInvalid: it is something else; every place is named, elements by number, from #1.
    """
    if kind is Any:
        return value
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        fields = ", ".join(getattr(kind, "model_fields", ()))
        found = error.errors(include_url=False, include_input=False)
        raise JsonInvalid(*(_fault(one, fields) for one in found)) from None


def _fault(found: Any, fields: str) -> str:
    """A place, and what is wrong with it."""
    where = ", ".join(f"#{one + 1}" if isinstance(one, int) else one for one in found["loc"])
    said: str = found["msg"].removeprefix("Value error, ").replace("Input should", "it should", 1)
    said = _OUR_WORDS.get(found["type"], said).replace("{fields}", fields)
    return f"{where}: {said}" if where else said


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise JsonInvalid("it is not UTF-8", line=line) from error
    except json.JSONDecodeError as error:
        raise JsonInvalid(f"it is not JSON ({error.msg})", line=error.lineno) from error
    except RecursionError:
        raise JsonInvalid("it is nested beyond all bounds") from None
    except ValueError as error:
        raise JsonInvalid(f"it is not JSON ({error})") from error
