"""Questions put to a model without a catalog: one row of a head's map, one pair over all heads."""

from __future__ import annotations

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor

from annotator.maps.counted_rows import open_space
from annotator.maps.engine import outputs
from annotator.maps.saliency import saliency
from annotator.maps.settings import MapSettings
from annotator.maps.top_k import largest, rank_of
from annotator.records import HeadId, Hit, RowView, Target
from annotator.tokens.vocabulary import Vocabulary
from annotator.weights.model import LayerHeads, Model


def row_view(
    model: Model, vocabulary: Vocabulary, head: HeadId, source: int, k: int, settings: MapSettings
) -> RowView:
    """One row of a head's map, with the source's place among all sources.

    Args:
        model: the checkpoint.
        vocabulary: its tokens.
        head: which head.
        source: token id of the row.
        k: targets to give at either end.
        settings: X and the vocabulary that counts.
    """
    usable = vocabulary.usable() if settings.vocabulary == "usable" else None
    W_E, space = open_space(model, usable)
    ids = space.ids.tolist()
    at = ids.index(source)
    heads = model.heads(head.layer).only(head.head)
    X = W_E if settings.bare_embedding(head.layer) else model.first_mlp()(W_E)
    sigma = saliency(X, heads)
    logits = _row(X[at : at + 1], heads) @ space.W_U
    if space.same_sources is not None:
        space.same_sources.spread(sigma)
    if space.same_targets is not None:
        space.same_targets.spread(logits)

    def targets(values: Tensor, columns_of: Tensor) -> tuple[Target, ...]:
        return tuple(
            Target(vocabulary.token(ids[column]), value)
            for column, value in zip(columns_of[0].tolist(), values[0].tolist(), strict=True)
        )

    top, top_at = largest(logits, k)
    bottom, bottom_at = largest(-logits, k)
    own = float(sigma[0, at])
    return RowView(
        head=head,
        source=vocabulary.token(source),
        sigma=own if own >= 0 else float("nan"),
        sigma_rank=int(rank_of(sigma, at)),
        top=targets(top, top_at),
        bottom=targets(-bottom, bottom_at),
    )


def all_hits(
    model: Model,
    vocabulary: Vocabulary,
    source: int,
    target: int,
    settings: MapSettings,
) -> Iterator[list[Hit]]:
    """Where every head puts a target in a source's row, layer by layer.

    Args:
        model: the checkpoint.
        vocabulary: its tokens.
        source: token id of the row.
        target: token id of the column.
        settings: X and the vocabulary that counts.

    Yields:
        The hits of one layer's heads.
    """
    usable = vocabulary.usable() if settings.vocabulary == "usable" else None
    W_E, space = open_space(model, usable)
    ids = space.ids.tolist()
    at, column = ids.index(source), ids.index(target)
    bare = W_E[at : at + 1].clone()
    del W_E
    x_mlp = bare if settings.source_form == "embedding" else model.first_mlp()(bare)
    for layer in range(model.dims.n_layers):
        x = bare if settings.bare_embedding(layer) else x_mlp
        logits = _row(x, model.heads(layer)) @ space.W_U
        if space.same_targets is not None:
            space.same_targets.spread(logits)
        ranks = rank_of(logits, column).tolist()
        values = logits[:, column].tolist()
        yield [Hit(HeadId(layer, h), ranks[h], values[h]) for h in range(len(ranks))]


def _row(x: Float[Tensor, "1 d_model"], heads: LayerHeads) -> Float[Tensor, "n_heads d_model"]:
    """X W_V W_O of one source for every head."""
    return outputs(x.expand(heads.W_O.shape[0], 1, -1), heads)[:, 0]
