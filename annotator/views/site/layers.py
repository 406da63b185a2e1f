"""Everything of a layer's heads, for their own pages; a file a layer, read when one is opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from annotator.judge.kinds import is_real
from annotator.judge.verdicts import COUNTS, MEASURES
from annotator.views.site.data import short
from annotator.views.site.overview import HeadColumns

if TYPE_CHECKING:
    import pandas as pd

SCORE_NAMES = ("phi", "p", "q", "suppression", "suppression_p", "suppression_q")
_SAID = (
    *("status", "inputs", "pattern", "category", "reasoning", "problem", "template", "key"),
    *("tokens_in", "tokens_out", "seconds", "at", "superseded"),
)
_SEEN = ("item", "kind", "status", "key", "template")
_JUDGED = (
    *(*_SEEN, "rater", "pattern", "precision", "category"),
    *("comment", "skipped", "seconds", "at"),
)
_VERDICT = (*_SEEN, *COUNTS, *MEASURES)

RowsByHead = Mapping[int, Sequence[Mapping[str, Any]]]


def layer_data(
    heads: HeadColumns,
    tables: Mapping[str, pd.DataFrame],
    names: Mapping[str, Sequence[str]],
    similar: Sequence[Sequence[tuple[int, float]]],
) -> Iterator[dict[str, Any]]:
    """What is written of each layer.

    Args:
        heads: of the model.
        tables: heads, mappings, and those of relations, descriptions, judgments and verdicts that
            are there.
        names: "relations" and "describers" as the overview lists them.
        similar: of every head others and their cosines.
    """
    kv_heads = heads.column(tables["heads"], tables["heads"]["kv_head"].tolist(), None)
    places = {kind: {name: at for at, name in enumerate(names[kind])} for kind in names}
    scored = _by_head(heads, tables.get("relations"))
    said = _by_head(heads, tables.get("descriptions"))
    judged = _by_head(heads, tables.get("judgments"))
    verdicts = _by_head(heads, tables.get("verdicts"))
    for _, rows in tables["mappings"].groupby("layer", sort=True):
        layer = _layer_maps(rows)
        for head, one in layer.pop("by_head"):
            at = int(rows["layer"].iloc[0]) * heads.n_heads + head
            one["kv_head"] = kv_heads[at]
            one["relations"] = [
                [places["relations"][row["relation"]], *(short(row[name]) for name in SCORE_NAMES)]
                for row in scored.get(at, ())
                if row["phi"] or row["suppression"]
            ]
            one["descriptions"] = _told(said.get(at, ()), places["describers"], _SAID)
            one["judgments"] = _told(judged.get(at, ()), places["describers"], _JUDGED)
            one["verdicts"] = [
                {**told, "real": is_real(told["kind"])}
                for told in _told(verdicts.get(at, ()), places["describers"], _VERDICT)
            ]
            one["similar"] = [[other, short(cosine)] for other, cosine in similar[at]]
            layer["heads"].append(one)
        yield layer


def _layer_maps(rows: pd.DataFrame) -> dict[str, Any]:
    """The mappings of a layer's heads, each token written once."""
    ids = np.concatenate([rows["source_id"], rows["target_id"]])
    texts = np.concatenate([rows["source"], rows["target"]])
    token_ids, first, place = np.unique(ids, return_index=True, return_inverse=True)
    source, target = np.split(place, 2)
    columns = (
        *(rows[name].tolist() for name in ("head", "source_rank", "side")),
        *(source.tolist(), target.tolist(), rows["sigma"].tolist(), rows["logit"].tolist()),
    )
    by_head = groupby(zip(*columns, strict=True), key=lambda row: row[0])
    return {
        "tokens": texts[first].tolist(),
        "token_ids": token_ids.tolist(),
        "heads": [],
        "by_head": [(head, {"mappings": _mappings(own)}) for head, own in by_head],
    }


def _mappings(rows: Iterator[tuple[Any, ...]]) -> list[list[Any]]:
    found: list[list[Any]] = []
    for _, group in groupby(rows, key=lambda row: row[1]):
        own = list(group)
        sides: dict[str, list[Any]] = {"top": [], "bottom": []}
        for _, _, side, _, target, _, logit in own:
            sides[side] += [target, short(logit)]
        _, _, _, source, _, sigma, _ = own[0]
        found.append([source, short(sigma), *(one for one in sides.values() if one)])
    return found


def _by_head(heads: HeadColumns, rows: pd.DataFrame | None) -> RowsByHead:
    if rows is None or not len(rows):
        return {}
    found: dict[int, list[Mapping[str, Any]]] = {}
    for at, row in zip(heads.index(rows).tolist(), _records(rows), strict=True):
        found.setdefault(at, []).append(row)
    return found


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """RowsByHead with None where something is missing."""
    plain = rows.astype(object)
    return plain.where(rows.notna(), None).to_dict("records")  # pyright: ignore[reportReturnType]


def _told(
    rows: Sequence[Mapping[str, Any]], places: Mapping[str, int], names: Sequence[str]
) -> list[dict[str, Any]]:
    return [
        {"describer": places[row["describer"]], **{name: _plain(row[name]) for name in names}}
        for row in rows
    ]


def _plain(value: Any) -> Any:
    return short(value) if isinstance(value, float) else value
