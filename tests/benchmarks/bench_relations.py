"""Relation scores of all heads of SmolLM2-135M against the published algorithm, in one process.

The published algorithm takes each head and relation by itself: it computes whole rows of the head
map for the relation's sources, takes the k largest (and the k smallest) of each, and looks for the
target there. It is timed on sampled heads and scaled to all; X is given to it. The engine scores
all heads, both signs and every k up to 25. Both read the same safetensors file. The permutation
null, which the published algorithm lacks, is timed apart: what a run with it takes longer.

    python -m tests.benchmarks.bench_relations [--small]
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from annotator.maps.permutation_null import Null
from annotator.maps.relations import K_MAX, LayerScores, Relations, relation_scores
from annotator.maps.settings import MapSettings
from annotator.pipeline.quickstart import embedded_model
from annotator.records import RelationPairs
from annotator.tokens.load import load_vocabulary
from annotator.tokens.pairs import pairs_of
from annotator.tokens.relation_files import load_relations
from annotator.weights.model import Model, open_model
from tests.benchmarks.common import (
    SMALL,
    Report,
    as_safetensors,
    gemm_rate,
    peak_bytes,
    sampled_heads,
    seconds,
)

SAMPLED = 2 if SMALL else 6
RELATIONS, PAIRS = (4, 60) if SMALL else (None, None)
DRAWS = 200 if SMALL else 20_000


def valid_pairs(model: Model) -> list[RelationPairs]:
    """The relations that come with annotator and are valid for the model."""
    vocabulary = load_vocabulary(model.source, model.dims.vocab)
    found = [pairs_of(one, vocabulary, model.dims.vocab, None) for one in load_relations()]
    valid = [one for one in found if one.valid][:RELATIONS]
    return [replace(one, ids=one.ids[:PAIRS]) for one in valid]


def published(
    model: Model, layer: int, head: int, X: Tensor, W_U: Tensor, relations: Relations, k: int
) -> Iterator[tuple[float, float]]:
    """One head: phi and suppression score of each relation."""
    heads = model.heads(layer).only(head)
    for pairs in relations.values():
        sources = sorted({source for source, _ in pairs})
        logits = X[sources] @ heads.W_V[0] @ heads.W_O[0] @ W_U
        known = set(pairs)
        shares: list[float] = []
        for largest in (True, False):
            found = logits.topk(k, largest=largest).indices.tolist()
            hits = [
                any((s, t) in known for t in best) for s, best in zip(sources, found, strict=True)
            ]
            shares.append(sum(hits) / len(hits))
        yield shares[0], shares[1]


def disagreements(
    scores: list[LayerScores], theirs: dict[tuple[int, int], list[tuple[float, float]]], k: int
) -> int:
    """Scores of the sampled heads that differ, by more than rounding of a share."""
    count = 0
    for (layer, head), shares in theirs.items():
        for ranks, (phi, suppression) in zip(scores[layer].relations.values(), shares, strict=True):
            count += abs(float(ranks.phi()[head, k - 1]) - phi) > 1e-9
            count += abs(float(ranks.suppression()[head, k - 1]) - suppression) > 1e-9
    return count


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = as_safetensors(embedded_model(), Path(folder))
        valid = valid_pairs(open_model(embedded_model()))
        relations = {one.name: one.ids for one in valid}
        scores: list[LayerScores] = []

        def run() -> None:
            scores[:] = relation_scores(open_model(path), relations, MapSettings())

        rate = gemm_rate()
        engine = min(seconds(run) for _ in range(1 if SMALL else 2))
        peak = peak_bytes()
        with FlopCounterMode(display=False) as counter:
            run()
        rate = max(rate, gemm_rate())
        model = open_model(path)
        d = model.dims
        W_E, W_U = model.embeddings()
        X = model.first_mlp()(W_E)
        theirs: dict[tuple[int, int], list[tuple[float, float]]] = {}

        def run_published() -> None:
            for at in sampled_heads(model, SAMPLED):
                theirs[at] = list(published(model, *at, X, W_U, relations, 10))

        naive = seconds(run_published) * d.n_layers * d.n_heads / SAMPLED
        null = Null({one.name: one.k for one in valid}, draws=DRAWS)
        tested = seconds(lambda: list(relation_scores(model, relations, MapSettings(), null=null)))
        tested_peak = peak_bytes()
    computed = sum(int(layer.computed.sum()) for layer in scores)
    dense = sum(layer.dense for layer in scores) * d.n_heads
    sources = sum(len({s for s, _ in pairs}) for pairs in relations.values())
    flops = counter.get_total_flops()
    report = Report()
    report.line("threads", f"{torch.get_num_threads():8d}")
    report.line("float32 GEMM rate", f"{rate / 1e9:8.1f} GFLOP/s")
    report.line("relations, pairs", f"{len(relations):8d} {sum(map(len, relations.values()))}")
    report.line("sources, distinct", f"{sources:8d} {scores[0].dense // d.vocab}")
    report.line(f"engine, k to {K_MAX}", f"{engine:8.2f} s")
    report.line(f"published, scaled from {SAMPLED} heads", f"{naive:8.2f} s")
    report.at_least("  over the engine", naive / engine, 30, "x")
    report.line("logits computed", f"{100 * computed / dense:8.2f} % of the distinct rows'")
    report.line("FLOPs of all products", f"{flops / 1e9:8.1f} GFLOP")
    report.line("  at", f"{flops / engine / 1e9:8.1f} GFLOP/s")
    report.line("GEMM efficiency", f"{100 * flops / engine / rate:8.1f} %")
    report.line("peak resident memory", f"{peak / 1e6:8.1f} MB")
    report.line(f"permutation null, {null.draws} draws", f"{tested - engine:8.2f} s")
    report.line("  peak resident memory", f"{tested_peak / 1e6:8.1f} MB")
    differing = disagreements(scores, theirs, 10)
    report.right("scores that differ", differing, len(relations) * SAMPLED * 2, 2)
    report.end()


if __name__ == "__main__":
    main()
