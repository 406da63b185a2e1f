"""A model opened, with its vocabulary and its digests: a new one, or that of a catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.catalog.model_location import recall
from annotator.errors import CatalogMismatch, ModelNotFound
from annotator.pipeline.progress import track

if TYPE_CHECKING:
    from torch import nn

    from annotator.catalog.read import Catalog
    from annotator.tokens.vocabulary import Vocabulary
    from annotator.weights.model import Model
    from annotator.weights.source import Source

MOST_USUAL_ROWS = 1 << 20
"""Rows; no model that is about has a third of it, and so none has its weights asked for first."""


@dataclass(frozen=True)
class OpenedModel:
    """A model that was opened; none of its tensors is read yet.

    Attributes:
        model: its weights.
        tokenizer: in place of the model's own, or None.
        progress: whether bars are shown on standard error once two seconds have passed.
    """

    model: Model
    tokenizer: Any
    progress: bool

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Its vocabulary.

        Raises:
            TokenizerMissing: there is no tokenizer, or one of no known kind.
            CheckpointBroken: the config's size of it is not that of the embedding.
        """
        from annotator.tokens.load import load_vocabulary
        from annotator.weights.check_tensors import embedding_fits

        rows = self.model.dims.vocab
        if rows > MOST_USUAL_ROWS and not embedding_fits(self.model.plan):
            self.check()  # names all that is wrong, before a place is made for each of the rows
        return load_vocabulary(self.model.source, rows, self.tokenizer)

    def check(self, layers: Sequence[int] | None = None) -> str:
        """Read and check tensors once, under a bar; see `annotator.weights.check_tensors`.

        Args:
            layers: only these layers' tensors and the embeddings, others are not even fetched;
                None: all.

        Returns:
            The weight digest.

        Raises:
            CheckpointBroken: tensors that cannot be mapped; all are named.
        """
        from annotator.weights.check_tensors import verify

        def watched(needs: Sequence[Any]) -> Any:
            return track(needs, "Checking", len(needs), unit="tensor", show=self.progress)

        return verify(self.model.plan, watched, layers)

    def digests(self) -> dict[str, str]:
        """What tells the model from every other; checks all that is needed of it."""
        vocabulary = self.vocabulary
        weights = self.check()
        tokens = sha256(repr((vocabulary.pieces, sorted(vocabulary.special))).encode()).hexdigest()
        return {"weight_digest": weights, "tokenizer_digest": tokens}


def open_model(
    model: str | Path | nn.Module | Source,
    dtype: str,
    revision: str | None = None,
    tokenizer: Any = None,
    device: str = "cpu",
    progress: bool = True,
) -> OpenedModel:
    """Open a model.

    Args:
        model: a folder, a .gguf file, a hub id, a torch module in memory, or a `Source`.
        dtype: arithmetic, "float32" or "float64".
        revision: branch, tag or commit on the hub.
        tokenizer: in place of the model's own: a path or a tokenizer object.
        device: a torch device name.
        progress: whether bars are shown on standard error once two seconds have passed.

    Raises:
        ModelError: it cannot be read or mapped.
        DeviceUnavailable: a device that torch cannot use here.
    """
    from annotator.weights.model import open_model

    opened = open_model(model, revision=revision, dtype=dtype, device=device)
    return OpenedModel(opened, tokenizer, progress)


def open_model_of(
    catalog: Catalog,
    model: str | Path | nn.Module | Source | None = None,
    revision: str | None = None,
    tokenizer: Any = None,
    device: str = "cpu",
    progress: bool = True,
) -> OpenedModel:
    """Open the model of a catalog, in the catalog's arithmetic.

    Args:
        catalog: made from it.
        model: where it is now; None: where it was when it was mapped, else on the hub.
        revision: branch, tag or commit on the hub.
        tokenizer: in place of the model's own; None: the one that was named when it was mapped.
        device: a torch device name.
        progress: show a bar on standard error once two seconds have passed.

    Raises:
        ModelError: it is nowhere, or cannot be read.
        CatalogMismatch: its weights or its tokenizer are not the catalog's.
        DeviceUnavailable: a device that torch cannot use here.
    """
    if model is None:
        model, known = _place(catalog)
        revision = revision or known
    named = recall(catalog.folder).get("tokenizer")
    if tokenizer is None and named and Path(named).exists():
        tokenizer = named
    dtype = catalog.manifest.settings["dtype"]
    opened = open_model(model, dtype, revision, tokenizer, device, progress)
    _require_same(catalog, opened)
    return opened


def _place(catalog: Catalog) -> tuple[str, str | None]:
    """Where the model of a catalog is, as far as is known, and the hub's commit."""
    made, note = catalog.manifest.model, recall(catalog.folder)
    place, commit = note.get("model"), note.get("revision")
    if place and (commit or Path(place).exists()):
        return place, commit
    if made["revision"]:
        return made["id"], made["revision"]
    was = f"it is no longer at {place}" if place else "nobody noted where it is"
    reason = f"{catalog.folder} was made from it, but {was}"
    raise ModelNotFound(made["id"], reason, "Say where it is: --model.")


def _require_same(catalog: Catalog, opened: OpenedModel) -> None:
    made = catalog.manifest.model
    differences = {
        f"model.{name}": (made[name], digest)
        for name, digest in opened.digests().items()
        if made[name] != digest
    }
    if differences:
        names = {"model.id": (made["id"], opened.model.source.id)}
        remedy = "Give the model, and the tokenizer, that it was made with."
        raise CatalogMismatch(str(catalog.folder), {**names, **differences}, remedy)
