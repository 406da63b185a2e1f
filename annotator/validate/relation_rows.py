"""The scores of one relation's heads, out of an experiment's rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Scores:
    """The scores of one relation's heads, by layer and head.

    Attributes:
        layers: each head's layer.
        static: each head's relation score.
        without: its dynamic scores without context, by template.
        with_context: its dynamic scores with context.
    """

    layers: Int[Tensor, " n_heads"]
    static: Float[Tensor, " n_heads"]
    without: Float[Tensor, "templates n_heads"]
    with_context: Float[Tensor, "templates n_heads"]


def scores_in(rows: pd.DataFrame) -> Scores | None:
    """The scores of a relation's rows of `correlate`, or of a form's of `multi_token`.

    Returns:
        All of its heads; None where there is no row.
    """
    if not len(rows):
        return None
    templates = [name for name in ("template",) if name in rows]
    rows = rows.sort_values([*templates, "layer", "head"])
    n_heads = len(rows[["layer", "head"]].drop_duplicates())
    layers, static, without, with_context = (
        torch.tensor(rows[name].to_numpy(copy=True)).view(-1, n_heads)
        for name in ("layer", "static", "without", "with_context")
    )
    return Scores(layers[0].long(), static[0], without, with_context)
