"""Catalogs that cannot be used, and commands at one."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

from tests.bad_inputs.case import BadInput, Make, Place


def _file_of(name: str, content: str) -> Make:
    return lambda place: (place.catalog / name).write_text(content)


def _newer(place: Place) -> None:
    path = place.catalog / "catalog.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))


def _cut(place: Place) -> None:
    path = place.catalog / "maps.parquet"
    path.write_bytes(path.read_bytes()[:1000])


def _foreign_ledger(place: Place) -> None:
    (place.catalog / "ledger.db").unlink()
    with closing(sqlite3.connect(place.catalog / "ledger.db")) as database:
        database.execute("CREATE TABLE recipes (name)")


def _newer_ledger(place: Place) -> None:
    with closing(sqlite3.connect(place.catalog / "ledger.db")) as database:
        database.execute("PRAGMA user_version = 99")


CATALOGS = [
    BadInput("no catalog", "show nowhere L0H0"),
    BadInput("a catalog's file that is no JSON", "heads catalog", _file_of("catalog.json", "{")),
    BadInput("nested without end", "heads catalog", _file_of("catalog.json", "[" * 100_000)),
    BadInput("a table that is cut", "show catalog L0H0", _cut),
    BadInput("a newer catalog", "heads catalog", _newer),
    BadInput("another model, or other settings", "map model --out catalog --vocab usable"),
    BadInput("a head that the catalog does not have", "show catalog L9H9"),
    BadInput("a ledger of something else", "ledger check catalog", _foreign_ledger),
    BadInput("a newer ledger", "show catalog L0H0", _newer_ledger),
    BadInput("no ledger", "ledger check nowhere"),
    BadInput("a format that is not offered", "export catalog --to xlsx", code=2),
    BadInput("files in place of a catalog", "export catalog --to csv --out catalog"),
    BadInput("a licence that is none", "export catalog --to hf --license 'my own'"),
    BadInput("a repository that can be none", "export catalog --to hf --push 'a b'"),
    BadInput(
        "nobody logged in", "export catalog --to hf --push me/heads", environment={"HF_HOME": "x"}
    ),
    BadInput(
        "relations in a file that is none",
        "relations catalog --relations pairs.json",
        lambda place: place.write("pairs.json", "{"),
    ),
    BadInput("an experiment before relations are scored", "validate correlate catalog"),
]
