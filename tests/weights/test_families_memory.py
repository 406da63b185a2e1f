"""A module in memory is read as the checkpoint that transformers saves of it."""

from __future__ import annotations

import torch

from annotator.weights.check_tensors import verify
from annotator.weights.in_memory import from_module
from annotator.weights.model import open_model
from tests.weights.conftest import Subject


def test_a_module_in_memory_gives_the_same_matrices(subject: Subject) -> None:
    held = open_model(subject.module, dtype="float64")
    for layer, heads in enumerate(subject.heads):
        assert torch.equal(held.heads(layer).W_V, heads.W_V)
        assert torch.equal(held.heads(layer).W_O, heads.W_O)
    W_E = held.W_E()
    assert torch.equal(W_E, subject.model.W_E())
    assert torch.equal(held.W_U(), subject.model.W_U())
    # The same numbers, but a product's last bits hang on where its matrix lies in memory.
    X = subject.model.first_mlp()(W_E)
    torch.testing.assert_close(held.first_mlp()(W_E), X, atol=1e-10, rtol=1e-10)


def test_a_module_in_memory_has_the_same_digest(subject: Subject) -> None:
    """Though experts are stacked there, and apart in most checkpoints."""
    held = open_model(from_module(subject.module))
    assert verify(held.plan) == verify(subject.model.plan)
