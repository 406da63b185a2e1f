"""From a layer's tensors to the records that travel on: one HeadMap per head."""

from __future__ import annotations

from torch import Tensor

from annotator.maps.engine import LayerMaps
from annotator.maps.signatures import layer_signatures
from annotator.records import HeadId, HeadMap, SalientMapping, Target
from annotator.tokens.vocabulary import Vocabulary


def head_maps(maps: LayerMaps, vocabulary: Vocabulary) -> list[HeadMap]:
    """The records of one layer's heads.

    Args:
        maps: the layer's tensors.
        vocabulary: the tokens' text.
    """
    signatures = layer_signatures(maps, vocabulary)
    top = _targets(maps.target_ids, maps.logits, vocabulary)
    bottom = _targets(maps.suppressed_ids, maps.suppressed_logits, vocabulary)
    records: list[HeadMap] = []
    for head, (ids, sigmas) in enumerate(
        zip(maps.source_ids.tolist(), maps.sigma.tolist(), strict=True)
    ):
        mappings = tuple(
            SalientMapping(
                source=vocabulary.token(id),
                sigma=sigma if sigma >= 0 else float("nan"),
                targets=top[head][at],
                suppressed=bottom[head][at] if bottom else (),
            )
            for at, (id, sigma) in enumerate(zip(ids, sigmas, strict=True))
        )
        records.append(
            HeadMap(HeadId(maps.layer, head), maps.kv_heads[head], mappings, signatures[head])
        )
    return records


def _targets(
    ids: Tensor | None, logits: Tensor | None, vocabulary: Vocabulary
) -> list[list[tuple[Target, ...]]]:
    """[head][source] -> targets; empty where nothing was kept."""
    if ids is None or logits is None:
        return []
    return [
        [
            tuple(Target(vocabulary.token(id), value) for id, value in zip(i, v, strict=True))
            for i, v in zip(head_ids, head_logits, strict=True)
        ]
        for head_ids, head_logits in zip(ids.tolist(), logits.tolist(), strict=True)
    ]
