"""`annotator map`: every head of a model, into a catalog that a killed run resumes."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.catalog.build import Builder, refuse_foreign
from annotator.catalog.manifest import Manifest
from annotator.catalog.model_location import remember
from annotator.catalog.read import Catalog
from annotator.maps.settings import MapSettings
from annotator.paths import user_path
from annotator.pipeline.open_model import OpenedModel, open_model
from annotator.pipeline.progress import track

if TYPE_CHECKING:
    from torch import nn

    from annotator.weights.source import Source


def map_model(
    model: str | Path | nn.Module | Source,
    out: str | Path,
    settings: MapSettings | None = None,
    *,
    revision: str | None = None,
    tokenizer: Any = None,
    device: str = "cpu",
    progress: bool = True,
) -> Catalog:
    """Map every head of a model into a catalog; run again, it goes on where it stopped.

    Args:
        model: a folder, a .gguf file, a hub id, a torch module in memory, or a `Source`.
        out: the catalog's directory.
        settings: what to map; the defaults are the paper's, with 15 held-out sources.
        revision: branch, tag or commit on the hub.
        tokenizer: in place of the model's own: a path or a tokenizer object.
        device: a torch device name.
        progress: show a bar on standard error once two seconds have passed.

    Returns:
        The finished catalog.

    Raises:
        ModelError: the model cannot be read or mapped.
        CatalogError: the directory cannot be used; finished layers are kept.
        SettingInvalid: a setting outside its range.
        DeviceUnavailable: a device that torch cannot use here.
    """
    from annotator.maps.engine import layer_groups, map_layers
    from annotator.maps.heads import head_maps

    settings, folder = settings or MapSettings(), user_path(out)
    refuse_foreign(folder)
    found = open_model(model, settings.dtype, revision, tokenizer, device, progress)
    opened, vocabulary = found.model, found.vocabulary
    manifest = _manifest(found, settings)
    usable = vocabulary.usable() if settings.vocabulary == "usable" else None
    n_layers = opened.dims.n_layers
    groups = layer_groups(n_layers, opened.dims.n_heads, settings)
    with Builder(folder, manifest, groups) as builder:
        remember(folder, model, opened.source.revision, tokenizer)
        missing = builder.missing()
        wanted = [layer for group in missing for layer in group]
        mapped = map_layers(opened, settings, wanted, usable)
        done = n_layers - len(wanted)
        layers = iter(track(mapped, "Mapping", n_layers, unit="layer", done=done, show=progress))
        for group in missing:
            records = [head_maps(maps, vocabulary) for maps in islice(layers, len(group))]
            builder.add(chain.from_iterable(records), group)
        builder.finish()
        return Catalog(folder)


def _manifest(opened: OpenedModel, settings: MapSettings) -> Manifest:
    """What the catalog will hold; reads and checks every needed tensor once."""
    import torch

    model, vocabulary = opened.model, opened.vocabulary
    limit = len(vocabulary.usable()) if settings.vocabulary == "usable" else model.dims.vocab
    kept = replace(
        settings, sources=min(settings.sources, limit), targets=min(settings.targets, limit)
    )
    return Manifest(
        model={
            "id": model.source.id,
            "revision": model.source.revision,
            "format": model.source.format,
            "family": model.plan.family.model_type,
            **opened.digests(),
        },
        dims=model.dims.as_dict(),
        settings={**kept.as_dict(), "device": model.device.type},
        versions={"annotator": version("annotator"), "torch": torch.__version__},
    )
