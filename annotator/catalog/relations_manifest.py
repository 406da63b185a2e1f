"""relations.json: which relations a catalog has scores of, and how they were made.

It holds every pair, with the ids of those that count, so that later commands use exactly these; of
relations that are not valid too. It is written last: scores are there where it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from annotator.atomic_files import whole_file
from annotator.catalog.manifest_format import ManifestFormat
from annotator.errors import CatalogBroken, NoRelations
from annotator.errors.catalogs import DELETE_IT
from annotator.records import Relation, RelationPairs

RELATIONS_FILE = "relations.json"
RELATIONS_AGAIN = f"{DELETE_IT} the same annotator relations again"
RELATIONS_FORMAT = ManifestFormat(1, RELATIONS_AGAIN)
NONE = "it holds no relation scores"


@dataclass(frozen=True)
class RelationRun:
    """What was scored, and how.

    Attributes:
        settings: draws, seed, k_max and device; all else is the catalog's.
        versions: of annotator and torch.
        pairs: all relations, valid or not, in the order they were given.
    """

    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    pairs: tuple[RelationPairs, ...]

    @property
    def valid(self) -> list[RelationPairs]:
        """The relations that have scores."""
        return [one for one in self.pairs if one.valid]

    def asked(self, relations: Sequence[Relation], drawn: Mapping[str, int]) -> bool:
        """Whether it is what is asked for; device and versions do not change what is meant."""
        there = {name: self.settings[name] for name in drawn}
        return there == drawn and self.relations == tuple(relations)

    @property
    def relations(self) -> tuple[Relation, ...]:
        """The relations as they were given."""
        return tuple(one.relation for one in self.pairs)

    def write(self, folder: Path) -> None:
        """Write it, a relation a line; the same run always gives the same bytes.

        Raises:
            CatalogUnwritable: the disk is full, or the path cannot be written.
        """
        rows = ",\n".join(json.dumps(_row(one), ensure_ascii=False) for one in self.pairs)
        head = (
            f'"format": {RELATIONS_FORMAT.number},\n"settings": {json.dumps(dict(self.settings))}'
        )
        versions = f'"versions": {json.dumps(dict(self.versions))}'
        with whole_file(folder / RELATIONS_FILE) as file:
            file.write(f'{{\n{head},\n{versions},\n"relations": [\n{rows}\n]\n}}\n'.encode())

    @classmethod
    def read(cls, folder: Path) -> RelationRun:
        """Read a folder's.

        Raises:
            NoRelations: there is none.
            CatalogBroken: it cannot be read.
        """
        path = folder / RELATIONS_FILE
        if not path.is_file():
            raise NoRelations(str(folder), NONE)
        content = RELATIONS_FORMAT.read(path)
        try:
            pairs = tuple(map(_pairs, content["relations"]))
            run = cls(content["settings"], content["versions"], pairs)
            if not all(isinstance(run.settings[name], int) for name in ("draws", "seed", "k_max")):
                raise ValueError(f"its settings are {dict(run.settings)}")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CatalogBroken(
                str(path), str(error) or type(error).__name__, RELATIONS_AGAIN
            ) from error
        return run


def read_relations_run(folder: Path) -> RelationRun | None:
    """What a catalog has scores of, and how they were made; None where it has none.

    Raises:
        CatalogBroken: it cannot be read.
    """
    try:
        return RelationRun.read(folder)
    except NoRelations:
        return None


def _row(pairs: RelationPairs) -> dict[str, Any]:
    return {**asdict(pairs.relation), "k_here": pairs.k, "dropped": pairs.dropped, "ids": pairs.ids}


def _pairs(row: dict[str, Any]) -> RelationPairs:
    fields = dict(row)
    k, dropped, ids = fields.pop("k_here"), fields.pop("dropped"), fields.pop("ids")
    words = tuple((str(source), str(target)) for source, target in fields.pop("pairs"))
    counted = tuple((int(source), int(target)) for source, target in ids)
    return RelationPairs(Relation(pairs=words, **fields), int(k), counted, dict(dropped))
