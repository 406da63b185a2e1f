"""JSON from outside, read in one way: whatever is wrong with a file is one error."""

from __future__ import annotations

import json
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any


class JsonInvalid(ValueError):
    """What cannot be read as JSON, or holds something else than it should.

    Attributes:
        reason: what is wrong with it; nothing that it holds is repeated.
        line: where, where that is known.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"line {line}: {reason}")
        self.reason, self.line = reason, line


class JsonUnreadable(JsonInvalid):
    """A file that cannot be read at all."""


def read_json(file: Path | Traversable, kind: Any = Any) -> Any:
    """What a file says.

    Args:
        file: in UTF-8, with or without a mark of its byte order.
        kind: what it has to hold, as pydantic reads types, strictly; by default anything.

    Raises:
        JsonInvalid: it cannot be read (JsonUnreadable), is no JSON (nested beyond all bounds,
            say), or holds something else.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise JsonUnreadable(error.strerror or str(error)) from error
    value = _parsed(content)
    if kind is Any:
        return value
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise JsonInvalid(f"{where}: {first['msg']}" if where else first["msg"]) from None


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise JsonInvalid("it is not UTF-8", line) from error
    except json.JSONDecodeError as error:
        raise JsonInvalid(f"it is not JSON ({error.msg})", error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise JsonInvalid(f"it is not JSON ({error})") from error
