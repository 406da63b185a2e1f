"""One runner for every experiment: a shard a relation, what they come to, and resume.

A shard is written as soon as its relation is done, so that a run that was stopped goes on at the
first relation that is missing. The model is opened only where one is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from annotator.catalog.experiment_shards import schema_of, shards_of
from annotator.catalog.read import Catalog
from annotator.catalog.summed_results import Sums, digest_of_shards, keep_sums, read_sums
from annotator.errors import NoRelations
from annotator.locks import alone
from annotator.pipeline.progress import track
from annotator.records import RelationPairs
from annotator.validate.experiment import (
    Experiment,
    ExperimentRows,
    Facts,
    Options,
    RelationSettings,
    about,
)
from annotator.validate.registry import experiment
from annotator.views.export.public_names import public_model

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from annotator.tokens.vocabulary import Vocabulary
    from annotator.validate.inputs import ExperimentInputs
    from annotator.weights.model import Model
    from annotator.weights.source import Source

_MAP = ("vocabulary", "source_form", "dtype")


@dataclass
class ExperimentRunner:
    """Runs experiments on a catalog, and reads what they gave before.

    Attributes:
        catalog: with relation scores.
        options: of experiments; what is not here has its default.
        model: where its model is; None: where it was mapped from.
        revision: branch, tag or commit on the hub.
        tokenizer: in place of the model's own.
        device: a torch device name.
        progress: whether bars are shown.
    """

    catalog: Catalog
    options: Options = field(default_factory=dict[str, Any])
    model: str | Path | nn.Module | Source | None = None
    revision: str | None = None
    tokenizer: Any = None
    device: str = "cpu"
    progress: bool = True

    @cached_property
    def pairs(self) -> tuple[RelationPairs, ...]:
        """All relations that were scored, valid or not."""
        return self.catalog.relation_pairs()

    @cached_property
    def called(self) -> str:
        """What the model is called."""
        return public_model(self.catalog.manifest)

    @cached_property
    def lab(self) -> ExperimentInputs:
        """What experiments work with."""
        from annotator.validate.inputs import ExperimentInputs

        manifest = self.catalog.manifest
        return ExperimentInputs(
            pairs=self.pairs,
            read_scores=self.catalog.relation_scores,
            dims=manifest.dims,
            made_with={
                "weights": manifest.model["weight_digest"],
                "tokenizer": manifest.model["tokenizer_digest"],
                "map": {name: manifest.settings[name] for name in _MAP},
            },
            open=self._open,
            finished=self._finished,
            track=partial(track, show=self.progress),
        )

    def _open(self) -> tuple[Model, Vocabulary]:
        from annotator.pipeline.open_model import open_model_of

        named = (self.model, self.revision, self.tokenizer, self.device, self.progress)
        opened = open_model_of(self.catalog, *named)
        return opened.model, opened.vocabulary

    def _finished(
        self, name: str, relation: str, settings: Mapping[str, Any]
    ) -> pd.DataFrame | None:
        shards = shards_of(self.catalog.folder, experiment(name))
        there = shards.has(relation, settings)
        return shards.read(name, relation).to_pandas() if there else None

    def wanted(self, relations: Sequence[str] | None) -> list[RelationPairs]:
        """The relations of these names; none named: all.

        Raises:
            NoRelations: the catalog lacks one.
        """
        there = {one.name: one for one in self.pairs}
        if unknown := [name for name in relations or () if name not in there]:
            reason = "it has no relation " + ", ".join(map(repr, unknown))
            known = f"Those that are there: {', '.join(there)}."
            raise NoRelations(str(self.catalog.folder), reason, known)
        return [there[name] for name in dict.fromkeys(relations or there)]

    def settings(self, of: Experiment) -> RelationSettings:
        """What enters a relation's numbers."""
        return of.settings(self.lab, self._given(of))

    def _given(self, of: Experiment) -> Options:
        return {one.name: self.options.get(one.name, one.default) for one in of.options}

    def run(self, of: Experiment, relations: Iterable[RelationPairs], *, named: bool) -> None:
        """See that there is a shard of every relation that the experiment takes.

        Args:
            of: the experiment.
            relations: those that are wanted.
            named: whether the user asked for them by name.

        Raises:
            CatalogBusy: a shard is missing, and another process writes the catalog.
            CatalogError: a shard cannot be read or written.
        """
        shards, settings = shards_of(self.catalog.folder, of), self.settings(of)
        taken = [one for one in relations if of.left_out(one, named) is None]
        missing = [one for one in taken if not shards.has(one.name, settings(one))]
        if not missing:
            return
        by_name = {one.name: settings(one) for one in missing}
        done, total = len(taken) - len(missing), len(taken)
        with alone(self.catalog.folder):
            computed = of.compute(self.lab, missing, self._given(of))
            how: Any = {"unit": "relation", "done": done, "show": self.progress}
            for relation, shard in track(computed, of.label, total, **how):
                rows = _table(shard.rows, schema_of(of))
                shards.write(relation, {of.name: rows}, by_name[relation], shard.facts)

    def there(self, of: Experiment, relations: Iterable[RelationPairs]) -> list[RelationPairs]:
        """The relations that have a shard."""
        shards, settings = shards_of(self.catalog.folder, of), self.settings(of)
        taken = [one for one in relations if of.left_out(one, False) is None]
        return [one for one in taken if shards.has(one.name, settings(one))]

    def kept(
        self, of: Experiment, relations: Sequence[RelationPairs], *, named: bool
    ) -> ExperimentRows:
        """What there is of an experiment on some relations; the model is not opened.

        Args and errors are those of `run`.
        """
        shards, there = shards_of(self.catalog.folder, of), self.there(of, relations)
        rows = shards.joined(of.name, [one.name for one in there]).to_pandas()
        facts = {
            one.name: {**shards.about(of.name, one.name)["facts"], **about(one)} for one in there
        }
        beside = None
        if of.beside is not None:
            beside = self.kept(experiment(of.beside), relations, named=named).rows
        return ExperimentRows(rows, facts | _left_out(of, relations, named), self.called, beside)

    def sums(self, of: Experiment, relations: Sequence[RelationPairs], *, named: bool) -> Sums:
        """What an experiment comes to, of the relations that it has shards of.

        Sums of all relations are kept, and made anew only where a shard has changed.
        """
        folder = shards_of(self.catalog.folder, of).folder / of.name
        digest = None if named else self._digest(of, relations)
        if digest is not None and (known := read_sums(folder, digest)) is not None:
            return known
        kept = self.kept(of, relations, named=named)
        tables = list(of.tables(kept))
        sums = Sums(tables, [one for one in of.figures(kept, tables) if one.on_page])
        if digest is not None:
            keep_sums(folder, digest, sums)
        return sums

    def _digest(self, of: Experiment, relations: Sequence[RelationPairs]) -> str | None:
        """Of all that enters the sums; None where there is nothing to sum up."""
        both = [of, *([experiment(of.beside)] if of.beside else [])]
        there = {one: self.there(one, relations) for one in both}
        paths = [
            shards_of(self.catalog.folder, one).path(one.name, pairs.name)
            for one in both
            for pairs in there[one]
        ]
        known = {
            "experiment": [of.name, of.version],
            "model": self.called,
            "there": {pairs.name: about(pairs) for pairs in there[of]},
            "left out": _left_out(of, relations, named=False),
        }
        return digest_of_shards(paths, known) if there[of] else None


def _left_out(of: Experiment, relations: Iterable[RelationPairs], named: bool) -> dict[str, Facts]:
    """The facts of relations that the experiment does not take, where there is a reason to give."""
    return {
        one.name: {**facts, **about(one)} for one in relations if (facts := of.left_out(one, named))
    }


def _table(rows: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    if not rows:
        return schema.empty_table()
    return pa.table({name: rows[name] for name in schema.names}, schema)
