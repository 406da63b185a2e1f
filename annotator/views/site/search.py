"""Which heads have a token among their sources or targets; read at the first search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annotator.views.site.overview import HeadColumns

if TYPE_CHECKING:
    import pandas as pd


def token_index(heads: HeadColumns, mappings: pd.DataFrame) -> dict[str, list[Any]]:
    """Every token of the mappings by its id, and the heads that have it, on either side.

    Suppressed targets count as targets.
    """
    at = heads.index(mappings)
    sources, targets = (mappings[name].to_numpy(np.int64) for name in ("source_id", "target_id"))
    ids = np.concatenate([sources, targets])
    texts = np.concatenate([mappings["source"], mappings["target"]])
    known, first = np.unique(ids, return_index=True)
    return {
        "tokens": texts[first].tolist(),
        "sources": _heads_of(known, sources, at, heads.count),
        "targets": _heads_of(known, targets, at, heads.count),
    }


def _heads_of(
    known: NDArray[np.int64],
    ids: NDArray[np.int64],
    heads: NDArray[np.int64],
    count: int,
) -> list[list[int]]:
    """Of each known token the heads that have it, ascending."""
    pairs = np.unique(np.searchsorted(known, ids).astype(np.int64) * count + heads)
    token, head = np.divmod(pairs, count)
    ends = np.searchsorted(token, np.arange(1, len(known)))
    return [own.tolist() for own in np.split(head, ends)]
