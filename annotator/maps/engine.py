"""All heads of a model, layer by layer.

Weights stream: at any time memory holds the embeddings, X and one layer. X is computed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from annotator.errors import Overflow
from annotator.maps.counted_rows import Space, open_space
from annotator.maps.projection import Projection, project
from annotator.maps.saliency import saliency
from annotator.maps.settings import MapSettings
from annotator.maps.top_k import largest
from annotator.records import EVIDENCE_SOURCES
from annotator.weights.model import LayerHeads, Model

HEADS_AT_ONCE = 36
"""Query heads computed together, at most, where a layer has fewer."""


@dataclass(frozen=True)
class LayerMaps:
    """The salient mappings of one layer's heads.

    Attributes:
        layer: which layer.
        kv_heads: the value head of each query head.
        source_ids: token ids of the salient sources.
        sigma: their saliency; -inf for rows of zero norm.
        target_ids: token ids of their largest targets.
        logits: those targets' logits.
        suppressed_ids: token ids of their smallest targets, or None.
        suppressed_logits: those targets' logits, or None.
        focus: per head, see `signatures`.
        strength: per head, see `signatures`.
    """

    layer: int
    kv_heads: tuple[int, ...]
    source_ids: Int[Tensor, "n_heads sources"]
    sigma: Float[Tensor, "n_heads sources"]
    target_ids: Int[Tensor, "n_heads sources targets"]
    logits: Float[Tensor, "n_heads sources targets"]
    suppressed_ids: Int[Tensor, "n_heads sources targets"] | None
    suppressed_logits: Float[Tensor, "n_heads sources targets"] | None
    focus: Float[Tensor, " n_heads"]
    strength: Float[Tensor, " n_heads"]

    def part(self, at: int, n_heads: int, layer: int) -> LayerMaps:
        """One layer's heads of several layers' that were mapped as one."""
        own = slice(at * n_heads, (at + 1) * n_heads)
        kept = {
            field.name: value[own]
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        kv_heads = self.kv_heads[own]
        first = kv_heads[0]
        return replace(self, layer=layer, kv_heads=tuple(kv - first for kv in kv_heads), **kept)


def map_layers(
    model: Model,
    settings: MapSettings,
    layers: Sequence[int],
    usable: Sequence[int] | None = None,
) -> Iterator[LayerMaps]:
    """Map all heads of the given layers.

    Args:
        model: the checkpoint.
        settings: what to keep.
        layers: which layers.
        usable: token ids that count; None: every row of the embedding.

    Yields:
        One layer's maps after the other, ascending, on the CPU.

    Raises:
        Overflow: logits that are not finite.
    """
    W_E, space = open_space(model, usable)
    walk = groups_with_sources(model, settings, layers, W_E)
    del W_E  # the walk lets go of it once X is there
    for group, X in walk:
        joined = map_heads(X, LayerHeads.join([model.heads(n) for n in group]), space, settings)
        if not torch.isfinite(joined.logits).all():
            raise Overflow(group, settings.dtype)
        for at, layer in enumerate(group):
            if layer in layers:
                yield joined.part(at, model.dims.n_heads, layer)


def groups_with_sources(
    model: Model,
    settings: MapSettings,
    layers: Sequence[int],
    W_E: Float[Tensor, "rows d_model"],
) -> Iterator[tuple[tuple[int, ...], Float[Tensor, "rows d_model"]]]:
    """The groups that hold some layers, ascending, each with its X.

    X = MLP_0(norm_2(W_E)), without the residual (Elhelo & Geva 2024, section 3), or the bare W_E
    in its place (`MapSettings`).
    """
    X, bare = W_E, True
    del W_E
    for group in layer_groups(model.dims.n_layers, model.dims.n_heads, settings):
        if not set(group) & set(layers):
            continue
        if bare and not settings.bare_embedding(group[0]):
            # Nothing asks for the embedding again: layers on the bare one come first, or are all.
            X, bare = model.first_mlp()(X), False
        yield group, X


def layer_groups(n_layers: int, n_heads: int, settings: MapSettings) -> list[tuple[int, ...]]:
    """Layers that are computed together: narrow layers alone would not fill a GEMM.

    A group is always computed whole, so that a layer comes out the same to the last bit whichever
    layers are asked for; a catalog is resumed by whole groups.
    """
    at_once = max(1, HEADS_AT_ONCE // n_heads)
    groups: dict[tuple[bool, int], list[int]] = {}
    for layer in range(n_layers):
        groups.setdefault((settings.bare_embedding(layer), layer // at_once), []).append(layer)
    return sorted(map(tuple, groups.values()))


def map_heads(
    X: Float[Tensor, "vocab d_model"], heads: LayerHeads, space: Space, settings: MapSettings
) -> LayerMaps:
    """Map some heads, as if of one layer.

    Args:
        X: source representation of the rows that count.
        heads: their projections.
        space: the rows and columns that count.
        settings: what to keep.
    """
    sigma = saliency(X, heads)
    if space.same_sources is not None:
        space.same_sources.spread(sigma)
    top_sigma, rows = largest(sigma, settings.sources)
    z = outputs(X[rows.flatten()].unflatten(0, rows.shape), heads)
    projection = project(
        z.flatten(0, 1),
        space.W_U,
        settings.targets,
        suppress=settings.suppress,
        duplicates=space.same_targets,
    )

    def per_head(values: Tensor) -> Tensor:
        return values.unflatten(0, rows.shape).cpu()

    bottom, bottom_ids = projection.bottom, projection.bottom_ids
    return LayerMaps(
        layer=0,
        kv_heads=tuple(h * heads.W_V.shape[0] // len(rows) for h in range(len(rows))),
        source_ids=space.ids[rows].cpu(),
        sigma=top_sigma.cpu(),
        target_ids=per_head(space.ids[projection.top_ids]),
        logits=per_head(projection.top),
        suppressed_ids=None if bottom_ids is None else per_head(space.ids[bottom_ids]),
        suppressed_logits=None if bottom is None else per_head(bottom),
        focus=_focus(sigma, top_sigma).cpu(),
        strength=_strength(projection, len(rows)).cpu(),
    )


def outputs(
    x: Float[Tensor, "n_heads sources d_model"], heads: LayerHeads
) -> Float[Tensor, "n_heads sources d_model"]:
    """X W_V W_O, each head on its own rows."""
    group = heads.W_O.shape[0] // heads.W_V.shape[0]
    y = x.unflatten(0, (-1, group)) @ heads.W_V[:, None]
    return y.flatten(0, 1) @ heads.W_O


def _focus(
    sigma: Float[Tensor, "n_heads vocab"], top: Float[Tensor, "n_heads sources"]
) -> Float[Tensor, " n_heads"]:
    """Sigma mass of the evidence over that of the vocabulary, rescaled so that uniform is 0."""
    counted = min(EVIDENCE_SOURCES, top.shape[1])
    uniform = counted / sigma.shape[1]
    total = sigma.double().clamp(min=0).sum(dim=1)
    share = top[:, :counted].double().clamp(min=0).sum(dim=1) / total
    focus = (share - uniform) / (1 - uniform) if uniform < 1 else torch.zeros_like(share)
    return focus.nan_to_num(nan=0.0).clamp(0, 1).float()


def _strength(projection: Projection, n_heads: int) -> Float[Tensor, " n_heads"]:
    """Mean over the evidence rows of (top logit - row mean) / row sd; a constant row counts 0."""
    above = projection.top[:, 0] - projection.mean
    z = torch.where(projection.sd > 0, above / projection.sd, 0.0)
    return z.unflatten(0, (n_heads, -1))[:, :EVIDENCE_SOURCES].mean(dim=1).float()
