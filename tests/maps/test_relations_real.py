"""The real model: relation scores against the dense reference, and what the demo promises."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from annotator.maps.relations import relation_scores
from annotator.maps.settings import MapSettings
from annotator.tokens.load import load_vocabulary
from annotator.weights.model import Model, open_model

Pairs = dict[str, list[tuple[int, int]]]

WORDS = (
    "France Paris Italy Rome Spain Madrid Germany Berlin Japan Tokyo China Beijing Russia Moscow",
    "Greece Athens Egypt Cairo Cuba Havana Poland Warsaw Austria Vienna big bigger small smaller",
    "good better dark darker walk walked call called king queen man woman hot cold",
)


def real_pairs(model: Model) -> Pairs:
    """Words that belong together, and any token with those that some head promotes for it."""
    vocabulary = load_vocabulary(model.source, model.dims.vocab)
    ids = [vocabulary.one(f" {word}") for line in WORDS for word in line.split()]
    generator = torch.Generator().manual_seed(0)
    sources = torch.randint(100, 20_000, (40,), generator=generator)
    X, heads = model.first_mlp()(model.W_E()[sources]), model.heads(23)
    logits = X @ heads.W_V[1] @ heads.W_O[4] @ model.W_U()
    best = logits.topk(60).indices[:, ::10]
    worst = (-logits).topk(60).indices[:, ::10]
    spread = torch.cat([best, worst], dim=1)
    return {
        "words": list(zip(ids[::2], ids[1::2], strict=True)),
        "copying": [(id, id) for id in ids],
        **{
            f"rank {n}": list(zip(sources.tolist(), column.tolist(), strict=True))
            for n, column in enumerate(spread.T)
        },
    }


@pytest.fixture(scope="module")
def real(real_gguf: Path) -> tuple[Model, Pairs]:
    model = open_model(real_gguf)
    return model, real_pairs(model)


@pytest.mark.parametrize(("n", "head"), [(0, 5), (12, 2), (23, 4)])
def test_smollm2_equals_the_dense_reference(real: tuple[Model, Pairs], n: int, head: int) -> None:
    """Float32 against float64: what differs must be a near tie, to a part in ten thousand."""
    model, pairs = real
    heads, W_E, W_U = model.heads(n), model.W_E(), model.W_U().double()
    (layer,) = relation_scores(model, pairs, MapSettings(), 25, [n])
    compared = differing = 0
    for name, found in layer.relations.items():
        x = W_E[found.source_ids]
        x = (model.first_mlp()(x) if n else x).double() @ heads.W_V[head // 3].double()
        logits = x @ heads.W_O[head].double() @ W_U
        target = dict(pairs[name])
        at = torch.tensor([target[source] for source in found.source_ids.tolist()])
        for sign, ranks in ((1, found.above[head]), (-1, found.below[head])):
            row = sign * logits
            over = row - row.gather(1, at[:, None])
            near = 1e-4 * row.std(dim=1, keepdim=True)
            most, exact, least = ((over > by).sum(dim=1).clamp(max=25) for by in (-near, 0, near))
            assert (least <= ranks).all()
            assert (ranks <= most).all()
            compared, differing = compared + len(at), differing + int((exact != ranks).sum())
    assert differing <= compared / 200


def test_smollm2_where_a_target_that_counts_itself_would_be_seen(real: tuple[Model, Pairs]) -> None:
    """The own logit comes on another path: compared with itself it is above in half the rows."""
    model, pairs = real
    (layer,) = relation_scores(model, pairs, MapSettings(), 1, [23])
    heads, W_U = model.heads(23), model.W_U()
    found = layer.relations["rank 0"]
    target = torch.tensor([dict(pairs["rank 0"])[s] for s in found.source_ids.tolist()])
    y = model.first_mlp()(model.W_E()[found.source_ids]) @ heads.W_V[1]
    own = (y * (W_U.T[target] @ heads.W_O[4].T)).sum(dim=1)
    itself = ((y @ heads.W_O[4] @ W_U) > own[:, None]).sum(dim=1)
    assert found.phi()[4, 0] == 1
    assert (itself == 0).double().mean() < 0.8


def test_smollm2_l23h4_knows_capitals(real: tuple[Model, Pairs]) -> None:
    model, pairs = real
    capitals = {"capitals": pairs["words"][:12]}
    (layer,) = relation_scores(model, capitals, MapSettings(), 25, [23])
    phi = layer.relations["capitals"].phi()[:, 9]
    assert phi.argmax() == 4
    assert phi[4] > 0.5
