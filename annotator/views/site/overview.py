"""What the page knows of every head from the start: a column for each thing to colour it by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annotator.catalog.describers import shorts as shorts_of
from annotator.judge.kinds import is_real
from annotator.records import CATEGORIES, Signatures, by_whom
from annotator.views.site.data import shorts

if TYPE_CHECKING:
    import pandas as pd

    from annotator.catalog.manifest import Manifest
    from annotator.records import RelationPairs

SHOWN_STATUSES = ("described", "unclear", "refused", "truncated", "malformed")
SIGNATURES = (*Signatures.names(), "telling")


class HeadColumns:
    """Where a head stands in every column: by layer, then head.

    Args:
        manifest: of the catalog.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.n_layers, self.n_heads = manifest.dims["n_layers"], manifest.dims["n_heads"]
        self.count = self.n_layers * self.n_heads

    def index(self, rows: pd.DataFrame) -> NDArray[np.int64]:
        """The place of each row's head."""
        layer, head = (rows[name].to_numpy(np.int64) for name in ("layer", "head"))
        return layer * self.n_heads + head

    def column(self, rows: pd.DataFrame, values: Sequence[Any], missing: Any) -> list[Any]:
        """Values of some heads as a column of all."""
        column = [missing] * self.count
        for at, value in zip(self.index(rows).tolist(), values, strict=True):
            column[at] = value
        return column


def signature_columns(heads: HeadColumns, rows: pd.DataFrame) -> dict[str, list[Any]]:
    """Every signature, and `telling`."""
    return {name: heads.column(rows, shorts(rows[name]), None) for name in SIGNATURES}


def relation_list(pairs: Sequence[RelationPairs], scores: pd.DataFrame) -> list[dict[str, Any]]:
    """The valid relations, in the order they were scored."""
    found: list[dict[str, Any]] = []
    for one in (one for one in pairs if one.valid):
        own = scores[scores["relation"] == one.name]
        found.append(
            {
                "name": one.name,
                "category": one.relation.category,
                "description": one.relation.description,
                "k": one.k,
                "sources": len(one.targets),
                "published": one.relation.published,
                "implements": int(own["implements"].sum()),
                "suppresses": int(own["suppresses"].sum()),
            }
        )
    return found


def best_relations(
    heads: HeadColumns, scores: pd.DataFrame, names: Sequence[str]
) -> dict[str, Any]:
    """Each head's largest phi above 0, and of which relation; -1 where there is none."""
    above = scores[scores["phi"] > 0]
    best = above.loc[above.groupby(["layer", "head"])["phi"].idxmax()]
    places = {name: at for at, name in enumerate(names)}
    return {
        "relation": heads.column(best, [places[name] for name in best["relation"]], -1),
        "phi": heads.column(best, shorts(best["phi"]), 0),
    }


def relation_columns(heads: HeadColumns, scores: pd.DataFrame, name: str) -> dict[str, list[Any]]:
    """Every head's scores on one relation."""
    own = scores[scores["relation"] == name]
    columns = ("phi", "q", "suppression", "suppression_q")
    return {column: heads.column(own, shorts(own[column]), None) for column in columns}


def describers(heads: HeadColumns, said: pd.DataFrame) -> list[dict[str, Any]]:
    """Who has described heads, language models before the baseline, and what came of it.

    `id` is what people are shown, and what links to the page name them by.
    """
    columns = ["baseline", "llm", "describer"]
    named = said[columns].drop_duplicates().sort_values(columns[:2], kind="stable")
    short = shorts_of(zip(named["llm"], named["describer"], strict=True))
    found: list[dict[str, Any]] = []
    for baseline, llm, describer in named.itertuples(index=False):
        own = _current(said, describer)
        found.append(
            {
                "id": short[describer],
                "llm": llm,
                "describer": describer,
                "by": by_whom(short[describer]),
                "baseline": bool(baseline),
                "status": heads.column(own, _places(own["status"], SHOWN_STATUSES), -1),
                "category": heads.column(own, _places(own["category"], CATEGORIES), -1),
            }
        )
    return found


def describer_columns(
    heads: HeadColumns, said: pd.DataFrame, describer: str
) -> dict[str, list[Any]]:
    """What one of them says of every head."""
    own = _current(said, describer)
    return {name: heads.column(own, texts(own[name]), None) for name in ("inputs", "pattern")}


def accepted_columns(
    heads: HeadColumns,
    said: pd.DataFrame,
    verdicts: pd.DataFrame,
    describers: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """How many accept what a describer says of a head now, of those who see a pattern there.

    Verdicts on earlier descriptions, and on items of kinds that are not real, are on the head's own
    page alone.
    """
    found: list[dict[str, Any]] = []
    real = verdicts["kind"].map(is_real)
    for at, describer in enumerate(describers):
        keys = set(_current(said, describer["describer"])["key"])
        own = verdicts[real & verdicts["describer"].eq(describer["describer"])]
        own = own[own["key"].isin(keys) & own["described"].gt(0)]
        if len(own):
            found.append(
                {
                    "describer": at,
                    "answers": heads.column(own, own["described"].tolist(), 0),
                    "accepted": heads.column(own, shorts(own["accepted_share"]), None),
                }
            )
    return found


def _current(said: pd.DataFrame, describer: str) -> pd.DataFrame:
    return said[said["describer"].eq(describer) & ~said["superseded"]]


def texts(values: pd.Series[Any]) -> list[str | None]:
    """Texts, and None where there is none."""
    return [value if isinstance(value, str) else None for value in values]


def _places(values: pd.Series[Any], names: Sequence[str]) -> list[int]:
    return [names.index(value) if value in names else -1 for value in texts(values)]
