"""The real model: sampled heads against the dense reference, and what the demo promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from annotator.maps.engine import map_layers
from annotator.maps.heads import head_maps
from annotator.maps.settings import MapSettings
from annotator.tokens.load import load_vocabulary
from annotator.weights.model import Model, open_model
from tests import oracle

SAMPLED = {0: 5, 12: 2, 23: 4}


@pytest.fixture(scope="module")
def model(real_gguf: Path) -> Model:
    return open_model(real_gguf)


@pytest.fixture(scope="module")
def mapped(model: Model) -> dict[int, Any]:
    return {maps.layer: maps for maps in map_layers(model, MapSettings(), list(SAMPLED))}


@pytest.fixture(scope="module")
def X(model: Model) -> torch.Tensor:
    return model.first_mlp()(model.W_E())


@pytest.mark.parametrize("layer", SAMPLED)
def test_sampled_heads_equal_the_dense_reference(
    model: Model, X: torch.Tensor, mapped: dict[int, Any], layer: int
) -> None:
    """Float32 against float64: what differs must be a near tie, to a part in ten thousand."""
    head, heads = SAMPLED[layer], model.heads(layer)
    x = (model.W_E() if layer == 0 else X).double()
    dense = oracle.dense_head(
        x, heads.W_V[head // 3].double(), heads.W_O[head].double(), model.W_U().double()[:, :1]
    )
    maps = mapped[layer]
    rows = maps.source_ids[head]
    expected = torch.tensor(oracle.order(dense.sigma.tolist(), 45))
    torch.testing.assert_close(dense.sigma[rows].float(), maps.sigma[head], rtol=1e-4, atol=0)
    torch.testing.assert_close(dense.sigma[rows], dense.sigma[expected], rtol=1e-4, atol=0)
    logits = (
        x[rows] @ heads.W_V[head // 3].double() @ heads.W_O[head].double()
    ) @ model.W_U().double()
    top = torch.tensor([oracle.order(row, 5) for row in logits.tolist()])
    scale = float(logits.std())
    ours = logits.gather(1, maps.target_ids[head])
    torch.testing.assert_close(ours, logits.gather(1, top), rtol=0, atol=1e-4 * scale)
    torch.testing.assert_close(maps.logits[head].double(), ours, rtol=0, atol=1e-4 * scale)
    strength = ((logits.amax(1) - logits.mean(1)) / logits.std(1, correction=0))[:30].mean()
    assert float(maps.strength[head]) == pytest.approx(float(strength), rel=1e-4)


def test_l23h4_maps_countries_and_nationalities(
    model: Model, mapped: dict[int, Any], real_gguf: Path
) -> None:
    vocabulary = load_vocabulary(model.source, model.dims.vocab)
    head = head_maps(mapped[23], vocabulary)[4]
    sources = {mapping.source.text for mapping in head.mappings[:30]}
    assert {"␣Italian", "␣Chilean", "␣Slavic"} <= sources
    chilean = next(m for m in head.mappings if m.source.text == "␣Chilean")
    assert "␣Chile" in {target.token.text for target in chilean.targets}
