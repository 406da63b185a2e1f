"""Variants of the static score, a shard for each relation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from annotator.catalog.validation import EXPERIMENTS, Shard, score_rows
from annotator.maps.settings import MapSettings
from annotator.pipeline.experiment import Experiment
from annotator.pipeline.progress import track
from annotator.records import RelationPairs

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

ABSENT = "absent"


def score_variants(
    of: Experiment, relations: Sequence[RelationPairs]
) -> tuple[pd.DataFrame, Mapping[str, str]]:
    """The scores of all heads by each variant that the model has.

    Args:
        of: the catalog and its model.
        relations: valid ones.

    Returns:
        The rows of the table `variants`; and the variants that the model does not have, with why.
    """
    settings = variant_settings(of)
    table, facts = of.run("variants", relations, settings, partial(_scored, of))
    return table, next((own[ABSENT] for own in facts.values()), {})


def variant_settings(of: Experiment) -> Callable[[RelationPairs], dict[str, Any]]:
    """What enters a relation's scores by the variants."""
    from annotator.validate.variants import VARIANTS

    variants = dict(VARIANTS)
    return lambda pairs: {**of.settings_of(pairs), "variants": variants}


def _scored(of: Experiment, relations: Sequence[RelationPairs]) -> Iterator[tuple[str, Shard]]:
    """All relations are scored together, a variant after the other; then come their shards."""
    from annotator.validate.variants import VARIANTS, absent_variants, variant_scores

    kept = of.catalog.manifest.settings
    settings = MapSettings(**{name: kept[name] for name in ("vocabulary", "source_form", "dtype")})
    absent = absent_variants(of.matrices, of.module, settings)
    found: dict[str, list[pa.Table]] = {one.name: [] for one in relations}
    for variant in (name for name in VARIANTS if name not in absent):
        layers = variant_scores(of.matrices, of.module, relations, settings, variant, of.usable)
        label, count = f"Scoring with the {variant}", of.matrices.dims.n_layers
        scored = list(track(layers, label, count, unit="layer", show=of.progress))
        for name, tables in found.items():
            tables.append(_rows(name, variant, [scores[name] for _, scores in scored]))
    for name, tables in found.items():
        empty = EXPERIMENTS["variants"].empty_table()
        yield name, Shard(pa.concat_tables([empty, *tables]), {ABSENT: absent})


def _rows(relation: str, variant: str, layers: Sequence[Tensor]) -> pa.Table:
    import torch

    return score_rows(
        "variants", {"static": torch.stack(list(layers))}, relation=relation, variant=variant
    )
