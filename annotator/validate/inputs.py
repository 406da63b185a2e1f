"""What an experiment works with: a catalog's relations and scores, and its model in inference.

The model is opened only where a relation is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from annotator.maps.settings import MapSettings
from annotator.records import RelationPairs, RelationScore

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor, nn

    from annotator.tokens.vocabulary import Vocabulary
    from annotator.validate.inference import Inference
    from annotator.weights.model import Model


TrackRelations = Callable[..., Iterable[Any]]
"""Passes items through, and may show how far that is: of items, label, total, and unit by name."""


@dataclass
class ExperimentInputs:
    """A catalog's relations, and its model where it is needed.

    Attributes:
        pairs: all relations that were scored, valid or not.
        read_scores: reads the static scores of all heads.
        dims: axis sizes by name.
        made_with: what enters every number: digests of weights and tokenizer, settings of the map.
        open: opens the model as it is mapped, and its tokens.
        finished: the rows of a relation's shard of an experiment, by the names of both and by what
            it is made with; None where there is none.
        track: see `TrackRelations`.
    """

    pairs: Sequence[RelationPairs]
    read_scores: Callable[[], list[RelationScore]]
    dims: Mapping[str, int]
    made_with: Mapping[str, Any]
    open: Callable[[], tuple[Model, Vocabulary]]
    finished: Callable[[str, str, Mapping[str, Any]], pd.DataFrame | None]
    track: TrackRelations

    @cached_property
    def scores(self) -> list[RelationScore]:
        """The static scores of all heads."""
        return self.read_scores()

    def static(self, relation: str) -> Tensor:
        """The static scores of a relation, [n_layers, n_heads], in float64."""
        import torch

        grid = torch.zeros(self.dims["n_layers"], self.dims["n_heads"], dtype=torch.float64)
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
        return {**self.made_with, "pairs": [list(pair) for pair in pairs.ids], "k": pairs.k}

    @cached_property
    def map_settings(self) -> MapSettings:
        """How the heads are mapped."""
        return MapSettings(**self.made_with["map"])

    @cached_property
    def _opened(self) -> tuple[Model, Vocabulary]:
        return self.open()

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
        from annotator.weights.full_module import module_of

        return module_of(self.matrices)

    @cached_property
    def usable(self) -> list[int] | None:
        """Token ids that count; None: all."""
        return self.vocabulary.usable() if self.map_settings.vocabulary == "usable" else None

    @cached_property
    def inference(self) -> Inference:
        """The model, ready for dynamic scores."""
        from annotator.validate.inference import open_inference

        return open_inference(self.matrices, self.module, self.usable)
