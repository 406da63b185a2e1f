"""What the experiments of a catalog have given so far, from their shards; no model is opened."""

from __future__ import annotations

from dataclasses import replace

from annotator.catalog.experiment_shards import shards_of
from annotator.catalog.read import Catalog
from annotator.catalog.relations_tables import SCORES
from annotator.catalog.summed_results import ExperimentResult
from annotator.pipeline.progress import track
from annotator.pipeline.run_experiment import ExperimentRunner
from annotator.validate.experiment import Experiment
from annotator.validate.registry import experiments


def read_results(
    catalog: Catalog, *, summed: bool = True, progress: bool = True
) -> list[ExperimentResult]:
    """Read it, in the order of the registry; an experiment that was not made is left out.

    Shards that were made with other pairs, k or weights than the catalog has now are left out.

    Args:
        catalog: with relation scores or without.
        summed: whether the tables of results are wanted, and not the rows alone.
        progress: whether a bar is shown.

    Raises:
        CatalogError: a shard cannot be read.
    """
    if SCORES not in catalog.tables():
        return []
    runners = {one.name: (one, _runner(catalog, one, progress)) for one in experiments()}
    made = [one for one in runners.values() if one[1].there(one[0], one[1].pairs)]
    found: list[ExperimentResult] = []
    label = "Summing up"
    for of, runner in track(made, label, len(made), unit="experiment", show=progress and summed):
        kept = runner.kept(of, runner.pairs, named=False)
        sums = runner.sums(of, runner.pairs, named=False) if summed else None
        found.append(ExperimentResult(of, kept.rows, sums))
    return found


def _runner(catalog: Catalog, of: Experiment, progress: bool) -> ExperimentRunner:
    """With the options that most relations were tried with; of no experiment, with the defaults."""
    plain = ExperimentRunner(catalog, progress=progress)
    if not of.options:
        return plain
    shards = shards_of(catalog.folder, of)
    known = shards.settings(of.name)
    chosen = {tuple((o.name, made[o.name]) for o in of.options if o.name in made) for made in known}
    tried = [replace(plain, options=dict(one)) for one in sorted(chosen)]
    return max(tried, key=lambda one: len(one.there(of, one.pairs)), default=plain)
