"""Relations for the tiny tokenizer: pairs of the few words that are one token of it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

from annotator.records import Relation

FILES = ("relations.json", "relations.parquet", "relation_curves.parquet")
WORDS = ("t", "th", "the", "o", "of", "a", "an", "and", "to", "i", "in", "is", "b", "c")


def made(name: str, pairs: int = 40, seed: int = 0, **fields: Any) -> Relation:
    """A relation of random pairs, several targets to a source among them."""
    chosen = random.Random(f"{name} {seed}").sample(list(product(WORDS, WORDS)), pairs)
    return Relation(name, tuple(sorted(chosen)), **fields)


def written(
    folder: Path, relations: Iterable[Relation], said: dict[str, Any] | None = None
) -> Path:
    """A directory of relation files, with what is said of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in relations:
        lines = ",\n".join(json.dumps(pair, ensure_ascii=False) for pair in one.pairs)
        (folder / f"{one.name}.json").write_text(f"[\n{lines}\n]\n", "utf-8")
    if said is not None:
        (folder / "relations.json").write_text(json.dumps(said), "utf-8")
    return folder


RELATIONS = (made("first", 60), made("second", 40, k=1), made("third", 90))
SPARSE = Relation("sparse", tuple((word, "nothing here") for word in WORDS))
DRAWS = 500


def tables(folder: Path) -> dict[str, bytes]:
    """What a catalog holds of relations, byte by byte."""
    return {name: (folder / name).read_bytes() for name in FILES}
