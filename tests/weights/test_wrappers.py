"""Multimodal models: the text tower is mapped, wherever a checkpoint keeps it.

Their attention, ends and X are proved beside all other recipes, in the files on families.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from annotator.weights.check_tensors import verify
from annotator.weights.families import PLACES, WRAPPERS
from annotator.weights.find_family import make_plan
from annotator.weights.in_memory import from_module
from annotator.weights.model import Model, open_model
from tests import recipes
from tests.weights.conftest import Subject


@pytest.fixture(params=recipes.WRAPPED)
def wrapped(request: pytest.FixtureRequest, subject_of: Callable[[str], Subject]) -> Subject:
    return subject_of(request.param)


def test_every_wrapper_is_in_the_proof() -> None:
    types = {recipes.built(name).config.model_type for name in recipes.WRAPPED}
    assert types == set(WRAPPERS)


def test_the_text_that_a_wrapper_assumes_is_the_one_transformers_builds(wrapped: Subject) -> None:
    wrapper = WRAPPERS[wrapped.module.config.model_type]
    kind = type(wrapped.module.config)
    assert kind().get_text_config().model_type == wrapper.text


def test_the_tie_that_a_wrapper_assumes_is_the_one_transformers_makes(wrapped: Subject) -> None:
    wrapper = WRAPPERS[wrapped.module.config.model_type]
    assert bool(type(wrapped.module.config)().tie_word_embeddings) == wrapper.tied
    embedding = wrapped.module.get_input_embeddings().weight
    unembedding = wrapped.module.get_output_embeddings().weight
    assert wrapped.model.plan.tied == (embedding is unembedding)


def test_no_tensor_of_another_tower_is_asked_for(wrapped: Subject) -> None:
    others = ("vision", "visual", "projector", "connector")
    needed = {need.name for need in wrapped.model.plan.needs()}
    assert needed
    assert not [name for name in needed if any(other in name for other in others)]
    assert any(other in name for name in wrapped.model.source.names() for other in others)


def copied(wrapped: Subject, folder: Path, decoder: str, head: str) -> Model:
    """The checkpoint with its text tower elsewhere."""
    folder.mkdir()
    plan = wrapped.model.plan
    config = (wrapped.folder / "config.json").read_text()
    (folder / "config.json").write_text(config)

    def moved(name: str) -> str:
        if name.startswith(plan.place.decoder):
            return decoder + name.removeprefix(plan.place.decoder)
        return head + "lm_head.weight" if name.endswith("lm_head.weight") else name

    tensors = load_file(wrapped.folder / "model.safetensors")
    save_file({moved(name): t for name, t in tensors.items()}, folder / "model.safetensors")
    return open_model(folder, dtype="float64")


@pytest.mark.parametrize("recipe", ["gemma3-untied", "llava", "qwen2_vl", "idefics3", "mistral3"])
def test_it_is_found_wherever_checkpoints_keep_it(
    recipe: str, subject_of: Callable[[str], Subject], tmp_path: Path
) -> None:
    """Releases of transformers renamed these towers more than once."""
    wrapped = subject_of(recipe)
    digest = verify(wrapped.model.plan)
    for number, place in enumerate(PLACES):
        moved = copied(wrapped, tmp_path / str(number), place.decoder, place.head)
        assert moved.plan.place == place
        assert verify(moved.plan) == digest


def test_recipes_and_places_meet(subject_of: Callable[[str], Subject]) -> None:
    """Where transformers keeps them today, in files and in memory."""
    kept = {subject_of(name).model.plan.place.decoder for name in recipes.WRAPPED}
    held = {make_plan(from_module(recipes.built(name))).place.decoder for name in recipes.WRAPPED}
    places = {place.decoder for place in PLACES}
    assert kept | held <= places
    assert {"language_model.model.", "model.language_model.", "model.text_model."} <= kept | held


def test_a_text_config_need_not_name_its_model_type(
    subject_of: Callable[[str], Subject], tmp_path: Path
) -> None:
    """As in early checkpoints of LLaVA and Gemma 3."""
    for recipe in ("llava", "gemma3", "qwen2_vl", "smolvlm"):
        wrapped = subject_of(recipe)
        assert wrapped.model.source.names()
        config = json.loads((wrapped.folder / "config.json").read_text())
        del config["text_config"]["model_type"]
        folder = tmp_path / recipe
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        tensors = load_file(wrapped.folder / "model.safetensors")
        save_file(tensors, folder / "model.safetensors")
        assert verify(open_model(folder).plan) == verify(wrapped.model.plan)


def test_transformers_reads_the_same_model_back(wrapped: Subject) -> None:
    """So that what was saved is the model that the proof ran."""
    assert wrapped.model.source.names()
    kind = type(wrapped.module)
    again = kind.from_pretrained(wrapped.folder, dtype=torch.float64)
    assert isinstance(again, transformers.PreTrainedModel)
    left = again.state_dict()
    assert left.keys() == wrapped.module.state_dict().keys()
    same = [torch.equal(left[name], t) for name, t in wrapped.module.state_dict().items()]
    assert all(same)
