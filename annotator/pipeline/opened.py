"""The model that a catalog was made from, opened again and proved to be that one."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.catalog.location import recall
from annotator.errors import CatalogMismatch, ModelNotFound
from annotator.pipeline.progress import track

if TYPE_CHECKING:
    from torch import nn

    from annotator.catalog.read import Catalog
    from annotator.tokens.vocabulary import Vocabulary
    from annotator.weights.model import Model
    from annotator.weights.source import Source


def open_model_of(
    catalog: Catalog,
    model: str | Path | nn.Module | Source | None = None,
    revision: str | None = None,
    tokenizer: Any = None,
    device: str = "cpu",
    progress: bool = True,
) -> tuple[Model, Vocabulary]:
    """Open the model of a catalog, in the catalog's arithmetic, and its vocabulary.

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
    from annotator.tokens.load import load_vocabulary
    from annotator.weights.model import open_model

    if model is None:
        model, known = _place(catalog)
        revision = revision or known
    named = recall(catalog.folder).get("tokenizer")
    if tokenizer is None and named and Path(named).exists():
        tokenizer = named
    dtype = catalog.manifest.settings["dtype"]
    opened = open_model(model, revision=revision, dtype=dtype, device=device)
    vocabulary = load_vocabulary(opened.source, opened.dims.vocab, tokenizer)
    _require_same(catalog, opened, digests(opened, vocabulary, progress))
    return opened, vocabulary


def digests(model: Model, vocabulary: Vocabulary, progress: bool) -> dict[str, str]:
    """What tells a model from every other; reads and checks every needed tensor once.

    Raises:
        CheckpointBroken: tensors that cannot be mapped; all are named.
    """
    weights = checked(model, None, progress)
    tokens = sha256(repr((vocabulary.pieces, sorted(vocabulary.special))).encode()).hexdigest()
    return {"weight_digest": weights, "tokenizer_digest": tokens}


def checked(model: Model, layers: Sequence[int] | None, progress: bool) -> str:
    """The weight digest, of tensors that were checked under a bar; see `annotator.weights.verify`.

    Args:
        model: an opened one.
        layers: only these layers' tensors and the embeddings, others are not even fetched; None:
            all.
        progress: whether a bar is shown.
    """
    from annotator.weights.verify import verify

    return verify(
        model.plan,
        lambda needs: track(needs, "Checking", len(needs), unit="tensor", show=progress),
        layers,
    )


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


def _require_same(catalog: Catalog, model: Model, asked: dict[str, str]) -> None:
    made = catalog.manifest.model
    differences = {
        f"model.{name}": (made[name], digest)
        for name, digest in asked.items()
        if made[name] != digest
    }
    if differences:
        names = {"model.id": (made["id"], model.source.id)}
        remedy = "Give the model, and the tokenizer, that it was made with."
        raise CatalogMismatch(str(catalog.folder), {**names, **differences}, remedy)
