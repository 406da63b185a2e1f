"""What the experiments share: the relations and the model of a catalog, and one shard a relation.

A shard is written as soon as its relation is done, so that a run that was stopped goes on at the
first relation that is missing. The model is opened only where one is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.catalog.lock import alone
from annotator.catalog.read import Catalog
from annotator.catalog.results import Result, write_result
from annotator.catalog.validation import Shard, joined, read_shard, write_shard
from annotator.errors import MissingExtra, NoRelations
from annotator.pipeline.opened import open_model_of
from annotator.pipeline.progress import say, track
from annotator.records import RelationPairs, RelationScore

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor, nn

    from annotator.tokens.vocabulary import Vocabulary
    from annotator.validate.inference import Inference
    from annotator.weights.model import Model
    from annotator.weights.source import Source

Compute = Callable[[Sequence[RelationPairs]], Iterator[tuple[str, Shard]]]


@dataclass
class Experiment:
    """A catalog's relations, and its model where it is needed.

    Attributes:
        catalog: with relation scores.
        model: where its model is; None: where it was mapped from.
        revision: branch, tag or commit on the hub.
        tokenizer: in place of the model's own.
        device: a torch device name.
        progress: whether bars are shown.
    """

    catalog: Catalog
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
    def scores(self) -> list[RelationScore]:
        """The static scores of all heads."""
        return self.catalog.relation_scores()

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

    def static(self, relation: str) -> Tensor:
        """The static scores of a relation, [n_layers, n_heads], in float64."""
        import torch

        dims = self.catalog.manifest.dims
        grid = torch.zeros(dims["n_layers"], dims["n_heads"], dtype=torch.float64)
        for score in self._by_relation[relation]:
            grid[score.head.layer, score.head.head] = score.phi
        return grid

    @cached_property
    def _by_relation(self) -> Mapping[str, list[RelationScore]]:
        found: dict[str, list[RelationScore]] = {}
        for score in self.scores:
            found.setdefault(score.relation, []).append(score)
        return found

    def settings_of(self, pairs: RelationPairs) -> dict[str, Any]:
        """What enters the numbers of a relation in every experiment."""
        manifest = self.catalog.manifest
        map_settings = ("vocabulary", "source_form", "dtype")
        return {
            "weights": manifest.model["weight_digest"],
            "tokenizer": manifest.model["tokenizer_digest"],
            "map": {name: manifest.settings[name] for name in map_settings},
            "pairs": [list(pair) for pair in pairs.ids],
            "k": pairs.k,
        }

    @cached_property
    def _opened(self) -> tuple[Model, Vocabulary]:
        named = (self.model, self.revision, self.tokenizer, self.device, self.progress)
        return open_model_of(self.catalog, *named)

    @property
    def matrices(self) -> Model:
        """The model, as it is mapped."""
        return self._opened[0]

    @property
    def vocabulary(self) -> Vocabulary:
        """Its tokens."""
        return self._opened[1]

    @cached_property
    def module(self) -> nn.Module:
        """The model, as it is run."""
        from annotator.weights.module import module_of

        return module_of(self.matrices)

    @cached_property
    def usable(self) -> list[int] | None:
        """Token ids that count; None: all."""
        usable = self.catalog.manifest.settings["vocabulary"] == "usable"
        return self.vocabulary.usable() if usable else None

    @cached_property
    def inference(self) -> Inference:
        """The model, ready for dynamic scores."""
        from annotator.validate.inference import open_inference

        return open_inference(self.matrices, self.module, self.usable)

    def run(
        self,
        name: str,
        relations: Sequence[RelationPairs],
        settings: Callable[[RelationPairs], Mapping[str, Any]],
        compute: Compute,
    ) -> tuple[pd.DataFrame, dict[str, Mapping[str, Any]]]:
        """See that there is a shard of every relation.

        Args:
            name: of the experiment.
            relations: the relations that are wanted.
            settings: what a relation's numbers are made with.
            compute: makes the shards of some relations, one after the other.

        Returns:
            The rows of all of them, and their facts.

        Raises:
            CatalogBusy: a shard is missing, and another process writes the catalog.
            CatalogError: a shard cannot be read or written.
        """
        folder, total = self.catalog.folder, len(relations)
        by_name = {one.name: settings(one) for one in relations}
        missing = [
            one
            for one in relations
            if read_shard(folder, name, one.name, by_name[one.name]) is None
        ]
        if missing:
            how: Any = {"unit": "relation", "done": total - len(missing), "show": self.progress}
            with alone(folder):
                for relation, shard in track(compute(missing), LABELS[name], total, **how):
                    write_shard(folder, name, relation, shard, by_name[relation])
        return self.kept(name, relations, settings)

    def kept(
        self,
        name: str,
        relations: Sequence[RelationPairs],
        settings: Callable[[RelationPairs], Mapping[str, Any]],
    ) -> tuple[pd.DataFrame, dict[str, Mapping[str, Any]]]:
        """What there is already, of relations that have a shard; the model is not opened.

        Args and errors are those of `run`, as is what it returns.
        """
        by_name = {one.name: settings(one) for one in relations}
        table, facts = joined(self.catalog.folder, name, by_name)
        there = [one for one in relations if one.name in facts]
        return table.to_pandas(), {one.name: {**facts[one.name], **about(one)} for one in there}


def about(pairs: RelationPairs) -> dict[str, Any]:
    """What is true of a relation in every experiment, and enters no number."""
    return {"published": pairs.relation.published, "k": pairs.k}


def write_all(
    folder: Path, results: Mapping[str, Result], draw: Callable[[Path], list[Path]]
) -> list[Path]:
    """Write tables, and figures where matplotlib is there.

    Args:
        folder: where.
        results: tables by name.
        draw: draws the figures into a folder.

    Returns:
        The files written.

    Raises:
        CatalogUnwritable: the disk is full, or a path cannot be written.
    """
    files = [path for name, one in results.items() for path in write_result(folder, name, one)]
    try:
        return [*files, *draw(folder)]
    except MissingExtra as missing:
        say(f"No figures: {missing}")
        return files


LABELS = {
    "correlate": "Correlating",
    "multi_token": "Correlating",
    "variants": "Scoring variants",
    "ablate": "Ablating",
}
