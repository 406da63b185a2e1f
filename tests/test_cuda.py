"""On a machine with a GPU: the same maps as on the CPU."""

from __future__ import annotations

import pytest
import torch

from annotator.maps.engine import LayerMaps, map_layers
from annotator.maps.settings import MapSettings
from annotator.weights.model import open_model
from tests import tiny


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("recipe", ["llama-gqa", "gpt2-tied", "neox-parallel"])
def test_cuda_equals_cpu(recipe: str) -> None:
    module = tiny.MODELS[recipe]()
    settings = MapSettings(dtype="float64", suppress=True)

    def on(device: str) -> list[LayerMaps]:
        model = open_model(module, dtype="float64", device=device)
        return list(map_layers(model, settings, range(3)))

    for cpu, cuda in zip(on("cpu"), on("cuda"), strict=True):
        assert torch.equal(cpu.source_ids, cuda.source_ids)
        assert torch.equal(cpu.target_ids, cuda.target_ids)
        torch.testing.assert_close(cpu.logits, cuda.logits)
        torch.testing.assert_close(cpu.strength, cuda.strength)
