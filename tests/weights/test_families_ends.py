"""W_E is what enters the first block, W_U what makes logits of the last norm's output."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from annotator.weights.check_tensors import verify
from annotator.weights.family import Linear
from annotator.weights.model import Model, open_model
from annotator.weights.plan import Plan
from tests import recipes
from tests.weights.conftest import Subject
from tests.weights.wrong import wrong_plans

EXACT = 1e-12
FAILS = 1e-3


def embedding_error(subject: Subject, W_E: Tensor) -> float:
    expected = subject.ends.embedded
    assert W_E.shape == expected.shape
    return float((W_E - expected).abs().max() / expected.abs().max())


def logits_error(subject: Subject, W_U: Tensor, scale: float = 1.0) -> float:
    """How far logits are from final @ W_U and the unembedding's bias."""
    bias = subject.module.get_output_embeddings().bias
    expected = (subject.ends.logits - (0 if bias is None else bias.detach())) * scale
    return float((subject.ends.final @ W_U - expected).abs().max() / expected.abs().max())


def model_of(plan: Plan) -> Model:
    return Model(plan, torch.float64, torch.device("cpu"))


def test_W_E_is_what_enters_the_first_block(subject: Subject) -> None:
    # Gemma keeps the square root of d_model in float32.
    limit = 1e-7 if subject.model.plan.family.model_type.startswith("gemma") else EXACT
    assert embedding_error(subject, subject.model.W_E()) < limit


def test_W_U_is_what_makes_the_logits(subject: Subject) -> None:
    scale = recipes.FORGOTTEN.get(subject.name, 1.0)
    assert logits_error(subject, subject.model.W_U(), scale) < EXACT


def test_ends_with_one_thing_wrong_are_others(subject: Subject) -> None:
    for wrong in wrong_plans(subject.model.plan):
        if "W_E" in wrong.parts:
            assert embedding_error(subject, model_of(wrong.plan).W_E()) > FAILS, wrong.what
        if "W_U" in wrong.parts and subject.name not in recipes.FORGOTTEN:
            assert logits_error(subject, model_of(wrong.plan).W_U()) > FAILS, wrong.what


@pytest.mark.parametrize("recipe", ["opt-projected", "opt-after-projected-untied"])
def test_projections_the_wrong_way_round_are_refuted(
    recipe: str, subject_of: Callable[[str], Subject]
) -> None:
    """Both have the same shape once one of them is turned."""
    subject = subject_of(recipe)
    plan, family = subject.model.plan, subject.model.plan.family
    into, out = (Linear(name, stored="in_out") for name in ("project_out", "project_in"))
    wrong = replace(
        family,
        W_E=replace(family.W_E, projection=into),
        W_U=replace(family.W_U, projection=out),
    )
    model = model_of(replace(plan, family=wrong))
    assert embedding_error(subject, model.W_E()) > FAILS
    assert logits_error(subject, model.W_U()) > FAILS


def test_one_matrix_is_held_once(subject: Subject) -> None:
    W_E, W_U = subject.model.embeddings()
    assert torch.equal(W_E, subject.model.W_E())
    assert torch.equal(W_U, subject.model.W_U())
    shared = W_E.data_ptr() == W_U.data_ptr()
    assert shared == subject.model.plan.one_matrix
    assert not shared or subject.model.plan.tied


BARE = {
    **{"llama-gqa": "model.", "gpt2-untied": "transformer.", "neox-parallel": "gpt_neox."},
    **{"phi3-gqa": "model.", "persimmon": "model.", "gpt_oss-gqa": "model."},
    **{"bloom": "transformer.", "falcon-new": "transformer.", "mpt": "transformer."},
    **{"codegen-8-heads": "transformer.", "gpt_neo": "transformer."},
    **{"llama4_text-gqa": "model.", "qwen2_moe-gqa": "model."},
    **{"opt-after-projected": "model.decoder.", "opt-no-bias": "model.decoder."},
}


def renamed(subject: Subject, folder: Path, rename: Callable[[str], str]) -> Model:
    """A copy of the checkpoint with other names in it."""
    folder.mkdir()
    assert subject.model.source.names()  # it is saved
    config = json.loads((subject.folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config))
    tensors = load_file(subject.folder / "model.safetensors")
    named = {rename(name): tensor for name, tensor in tensors.items()}
    save_file(named, folder / "model.safetensors")
    return open_model(folder, dtype="float64")


@pytest.mark.parametrize("recipe", BARE)
def test_a_bare_decoder_checkpoint_opens(
    recipe: str, subject_of: Callable[[str], Subject], tmp_path: Path
) -> None:
    """As on the hub for gpt2: names without the causal model's prefix."""
    subject = subject_of(recipe)
    bare = renamed(subject, tmp_path / "bare", lambda name: name.removeprefix(BARE[recipe]))
    assert subject.model.plan.place.decoder == BARE[recipe]
    assert bare.plan.place.decoder == ""
    assert verify(bare.plan) == verify(subject.model.plan)


@pytest.mark.parametrize("recipe", ["opt", "opt-after-projected", "opt-no-bias"])
def test_an_opt_checkpoint_of_the_decoder_model_opens(
    recipe: str, subject_of: Callable[[str], Subject], tmp_path: Path
) -> None:
    """As on the hub for opt-350m: "decoder." is all that precedes its names."""
    subject = subject_of(recipe)
    inner = renamed(subject, tmp_path / "inner", lambda name: name.removeprefix("model."))
    assert inner.plan.place.decoder == "decoder."
    assert verify(inner.plan) == verify(subject.model.plan)
