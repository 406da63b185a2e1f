"""On a machine with a GPU: the same maps as on the CPU."""

from __future__ import annotations

import pytest
import torch

from annotator.maps.engine import LayerMaps, map_layers
from annotator.maps.permutation_null import Null
from annotator.maps.relations import LayerScores, relation_scores
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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("recipe", ["llama-gqa", "gpt2-tied", "neox-parallel"])
def test_cuda_scores_and_tests_relations_as_the_cpu_does(recipe: str) -> None:
    module = tiny.MODELS[recipe]()
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(320, (2, 60), generator=generator)
    single, shared = drawn.T.tolist(), torch.stack([drawn[0] % 20, drawn[1]]).T.tolist()
    pairs = {name: [(s, t) for s, t in some] for name, some in (("one", single), ("many", shared))}
    null = Null({"one": 10, "many": 5}, draws=500)

    def on(device: str) -> list[LayerScores]:
        model = open_model(module, dtype="float64", device=device)
        return list(relation_scores(model, pairs, MapSettings(dtype="float64"), null=null))

    for cpu, cuda in zip(on("cpu"), on("cuda"), strict=True):
        for name, ranks in cpu.relations.items():
            other = cuda.relations[name]
            assert torch.equal(ranks.above, other.above)
            assert torch.equal(ranks.below, other.below)
            assert ranks.p is not None
            assert other.p is not None
            assert torch.equal(ranks.p, other.p)
