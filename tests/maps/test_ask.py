"""`row` and `find` answer from the same maps as the catalog holds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

import annotator
from annotator.errors import HeadInvalid, TokenInvalid
from annotator.maps.settings import MapSettings
from annotator.weights.model import open_model
from tests import oracle, tiny

EXACT: dict[str, Any] = {"dtype": "float64"}


def dense(folder: Path, layer: int, head: int) -> oracle.Dense:
    model = open_model(folder, dtype="float64")
    heads = model.heads(layer)
    x = model.W_E() if layer == 0 else model.first_mlp()(model.W_E())
    return oracle.dense_head(x, heads.W_V[head // 2], heads.W_O[head], model.W_U())


@pytest.mark.parametrize("name", ["L0H3", "L2H0"])
def test_row_equals_the_dense_reference(tiny_folder: Path, name: str) -> None:
    head = annotator.HeadId.parse(name)
    view = annotator.row(tiny_folder, name, " the", k=6, settings=MapSettings(**EXACT))
    reference = dense(tiny_folder, head.layer, head.head)
    source = view.source.id
    assert view.source.text == "␣the"
    logits = reference.M[source]
    assert [t.token.id for t in view.top] == oracle.order(logits.tolist(), 6)
    assert [t.token.id for t in view.bottom] == oracle.order((-logits).tolist(), 6)
    assert math.isclose(view.top[0].logit, float(logits.max()), rel_tol=1e-9)
    assert math.isclose(view.bottom[0].logit, float(logits.min()), rel_tol=1e-9)
    assert math.isclose(view.sigma, float(reference.sigma[source]), rel_tol=1e-9)
    assert view.sigma_rank == oracle.order(reference.sigma.tolist(), 320).index(source)


def test_find_ranks_every_head(tiny_folder: Path) -> None:
    hits = annotator.find(tiny_folder, " the", " of", settings=MapSettings(**EXACT))
    assert len(hits) == 12
    assert hits == sorted(hits, key=lambda hit: (hit.rank, hit.head))
    model = annotator.row(tiny_folder, "L0H0", " of", k=1)
    target, source = model.source.id, annotator.row(tiny_folder, "L0H0", " the", k=1).source.id
    for hit in hits:
        logits = dense(tiny_folder, hit.head.layer, hit.head.head).M[source]
        assert hit.rank == oracle.order(logits.tolist(), 320).index(target)
        assert math.isclose(hit.logit, float(logits[target]), rel_tol=1e-9)


def test_usable_vocabulary(tiny_folder: Path) -> None:
    settings = MapSettings(vocabulary="usable", **EXACT)
    view = annotator.row(tiny_folder, "L1H1", " the", k=400, settings=settings)
    kept = {target.token.id for target in view.top}
    made = tiny.tokenizer()
    assert made.token_to_id("<|end|>") not in kept
    assert made.token_to_id("<unused0>") not in kept
    assert max(kept) < made.get_vocab_size()
    assert len(kept) == made.get_vocab_size() - 2
    whole = {hit.head: hit.rank for hit in annotator.find(tiny_folder, " the", " of")}
    masked = {
        hit.head: hit.rank for hit in annotator.find(tiny_folder, " the", " of", settings=settings)
    }
    assert all(masked[head] <= rank for head, rank in whole.items())
    assert masked != whole
    with pytest.raises(TokenInvalid, match="--vocab all"):
        annotator.row(tiny_folder, "L1H1", "<|end|>", settings=settings)


def test_layer_forms_differ(tiny_folder: Path) -> None:
    forms = ["mlp-after-layer-0", "mlp", "embedding"]
    by_form: list[dict[annotator.HeadId, float]] = []
    for form in forms:
        settings = MapSettings(source_form=form)
        hits = annotator.find(tiny_folder, " the", " of", settings=settings)
        by_form.append({hit.head: hit.logit for hit in hits})
    for head in by_form[0]:
        bare = by_form[2] if head.layer == 0 else by_form[1]
        assert math.isclose(by_form[0][head], bare[head], rel_tol=1e-5)


def test_refusals(tiny_folder: Path) -> None:
    with pytest.raises(HeadInvalid, match="L0 to L2"):
        annotator.row(tiny_folder, "L3H0", " the")
    with pytest.raises(HeadInvalid):
        annotator.row(tiny_folder, "L0H4", " the")
    with pytest.raises(TokenInvalid, match="␣the"):
        annotator.find(tiny_folder, " the the", " of")


def test_tokens_can_be_named_by_id(tiny_folder: Path) -> None:
    assert annotator.row(tiny_folder, "L0H0", "#65").source.id == 65


def test_a_module_in_memory(tiny_folder: Path) -> None:
    with torch.no_grad():
        module = tiny.llama()
    there = annotator.row(tiny_folder, "L1H0", " the")
    here = annotator.row(module, "L1H0", " the", tokenizer=tiny.tokenizer())
    assert there == here
