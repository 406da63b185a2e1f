"""`annotator row` and `annotator find`: questions put to a model, answered in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.errors import SettingInvalid, TokenInvalid
from annotator.maps.settings import MapSettings
from annotator.pipeline.open_model import open_model
from annotator.pipeline.progress import track
from annotator.records import HeadId, Hit, Rows, RowView

if TYPE_CHECKING:
    from torch import nn

    from annotator.tokens.vocabulary import Vocabulary
    from annotator.weights.source import Source


def row(
    model: str | Path | nn.Module | Source,
    head: HeadId | str,
    source: str,
    *,
    k: int = 10,
    settings: MapSettings | None = None,
    revision: str | None = None,
    tokenizer: Any = None,
    device: str = "cpu",
    progress: bool = True,
) -> RowView:
    """One row of a head's map: what the head does with one source.

    Args:
        model: as for `map_model`.
        head: which head, "L23H4".
        source: a text that is one token (mind the leading space), or "#123" for an id.
        k: targets to give at either end.
        settings: X, vocabulary and dtype; sources and targets play no part.
        revision: branch, tag or commit on the hub.
        tokenizer: in place of the model's own.
        device: a torch device name.
        progress: show a bar on standard error once two seconds have passed.

    Raises:
        ModelError: the model cannot be read.
        SettingInvalid: a k below 1.
        HeadInvalid: not a head of this model.
        TokenInvalid: the text is not one token, or not a usable one.
    """
    from annotator.maps.row_and_find import row_view

    settings = settings or MapSettings()
    if k < 1:
        raise SettingInvalid("k", k, "at least 1")
    named = HeadId.parse(head) if isinstance(head, str) else head
    found = open_model(model, settings.dtype, revision, tokenizer, device, progress)
    opened, vocabulary = found.model, found.vocabulary
    named.within(opened.dims.n_layers, opened.dims.n_heads)
    token = _token(vocabulary, source, settings)
    found.check([named.layer])
    return row_view(opened, vocabulary, named, token, k, settings)


def find(
    model: str | Path | nn.Module | Source,
    source: str,
    target: str,
    *,
    settings: MapSettings | None = None,
    revision: str | None = None,
    tokenizer: Any = None,
    device: str = "cpu",
    progress: bool = True,
) -> Rows[Hit]:
    """Every head by the rank it gives a target in a source's row, best first.

    Args:
        model: as for `map_model`.
        source: a text that is one token (mind the leading space), or "#123" for an id.
        target: likewise.
        settings: X, vocabulary and dtype; sources and targets play no part.
        revision: branch, tag or commit on the hub.
        tokenizer: in place of the model's own.
        device: a torch device name.
        progress: show a bar on standard error once two seconds have passed.

    Raises:
        ModelError: the model cannot be read.
        TokenInvalid: a text is not one token, or not a usable one.
    """
    from annotator.maps.row_and_find import all_hits

    settings = settings or MapSettings()
    found = open_model(model, settings.dtype, revision, tokenizer, device, progress)
    opened, vocabulary = found.model, found.vocabulary
    row_id, column_id = (_token(vocabulary, text, settings) for text in (source, target))
    found.check(range(opened.dims.n_layers))
    layers = all_hits(opened, vocabulary, row_id, column_id, settings)
    tracked = track(layers, "Searching", opened.dims.n_layers, unit="layer", show=progress)
    found = (hit for hits in tracked for hit in hits)
    return Rows(sorted(found, key=lambda hit: (hit.rank, hit.head)), Hit)


def _token(vocabulary: Vocabulary, text: str, settings: MapSettings) -> int:
    id = vocabulary.one(text)
    if settings.vocabulary == "usable" and id not in set(vocabulary.usable()):
        remedy = (
            "It is special, unused or padding, which --vocab usable leaves out; use --vocab all."
        )
        raise TokenInvalid(text, [vocabulary.shown(id)], remedy)
    return id
