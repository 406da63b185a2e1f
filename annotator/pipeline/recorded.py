"""What the experiments of a catalog have given so far, from their shards; no model is opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from annotator.catalog.export.public import public_model
from annotator.catalog.read import Catalog
from annotator.catalog.recorded import Recorded
from annotator.catalog.relations import SCORES
from annotator.catalog.results import (
    Result,
    accuracy_result,
    correlation_result,
    difference_result,
    medians_result,
)
from annotator.catalog.validation import made_with
from annotator.pipeline.ablating import asked_for, settings_of
from annotator.pipeline.correlating import not_valid, template_settings, word_settings
from annotator.pipeline.experiment import Experiment
from annotator.pipeline.progress import track
from annotator.pipeline.variants import variant_settings

if TYPE_CHECKING:
    import pandas as pd

    from annotator.validate.accuracies import Accuracies


Kept = tuple["pd.DataFrame", dict[str, Mapping[str, Any]]]


def recorded(catalog: Catalog, *, summed: bool = True, progress: bool = True) -> Recorded:
    """Read it.

    Shards that were made with other pairs, k or weights than the catalog has now are left out.

    Args:
        catalog: with relation scores or without.
        summed: whether the results are wanted, and not the tables alone: their intervals resample
            heads, which may take seconds.
        progress: whether a bar is shown.

    Raises:
        CatalogError: a shard cannot be read.
    """
    if SCORES not in catalog.tables():
        return Recorded()
    of = Experiment(catalog, progress=progress)
    kept = {name: found for name, found in _kept(of) if found[1]}
    tables = {name: table for name, (table, _) in kept.items()}
    if not summed:
        return Recorded(tables)
    results: dict[str, Result] = {}
    for name in track(list(kept), "Summing up", len(kept), unit="experiment", show=progress):
        results |= _RESULTS[name](of, kept)
    return Recorded(tables, results, _accuracies(of, kept))


def _kept(of: Experiment) -> Iterator[tuple[str, Kept]]:
    """The rows and facts of each experiment."""
    valid = [one for one in of.pairs if one.valid]
    yield "correlate", of.kept("correlate", valid, partial(template_settings, of))
    yield "variants", of.kept("variants", valid, variant_settings(of))
    yield "multi_token", of.kept("multi_token", valid, partial(word_settings, of))
    # Of whatever seed it was made with; of several, the one of most relations.
    seeds = dict.fromkeys(one["seed"] for one in made_with(of.catalog.folder, "ablate"))
    found = [of.kept("ablate", asked_for(of.pairs), settings_of(of, seed)) for seed in seeds]
    if found:
        yield "ablate", max(found, key=lambda one: len(one[1]))


def _correlate(of: Experiment, kept: Mapping[str, Kept]) -> dict[str, Result]:
    from annotator.validate.report import correlations, medians

    table, facts = kept["correlate"]
    rows = correlations(table, facts | not_valid(of.pairs))
    over = medians(rows, _model(of))
    return {"correlate": correlation_result(rows), "correlate-medians": medians_result(over)}


def _variants(of: Experiment, kept: Mapping[str, Kept]) -> dict[str, Result]:
    from annotator.validate.differences import differences

    if "correlate" not in kept:
        return {}
    return {"variants": difference_result(differences(kept["correlate"][0], kept["variants"][0]))}


def _multi_token(of: Experiment, kept: Mapping[str, Kept]) -> dict[str, Result]:
    from annotator.validate.report import FORMS, medians, multi_token

    table, facts = kept["multi_token"]
    rows = multi_token(table, facts | not_valid(of.pairs, FORMS))
    over = medians(rows, _model(of))
    return {"multi-token": correlation_result(rows), "multi-token-medians": medians_result(over)}


def _ablate(of: Experiment, kept: Mapping[str, Kept]) -> dict[str, Result]:
    return {"ablate": accuracy_result(_accuracies(of, kept))}


def _accuracies(of: Experiment, kept: Mapping[str, Kept]) -> Sequence[Accuracies]:
    from annotator.validate.accuracies import accuracies

    if "ablate" not in kept:
        return ()
    table, facts = kept["ablate"]
    return accuracies(table, facts | not_valid([o for o in of.pairs if o.relation.prompt]))


def _model(of: Experiment) -> str:
    return public_model(of.catalog.manifest)


_RESULTS = {
    "correlate": _correlate,
    "variants": _variants,
    "multi_token": _multi_token,
    "ablate": _ablate,
}
