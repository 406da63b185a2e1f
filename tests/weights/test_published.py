"""The config.json of well-known checkpoints on the Hugging Face hub, read as it is there.

`published_configs.json` holds, for each hub id, the facts of its config.json (long lists of no
consequence, such as a vision tower's, in excerpt) and what is known of the model besides.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from annotator.errors import CheckpointRefused
from annotator.weights.families import FAMILIES
from tests.weights.configs import plan

ALL: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("published_configs.json").read_text(encoding="utf-8")
)

MAPPED = [name for name, known in ALL.items() if "sizes" in known]


@pytest.mark.parametrize("name", MAPPED)
def test_a_published_config_has_the_sizes_that_are_known_of_it(name: str) -> None:
    known = ALL[name]
    made = plan(known["config"])
    assert made.dims.as_dict() == known["sizes"]
    assert made.tied == known["tied"]
    assert made.family.variant == known["variant"]


@pytest.mark.parametrize("name", [name for name in ALL if "refused" in ALL[name]])
def test_a_published_config_is_refused_for_what_it_says(name: str) -> None:
    with pytest.raises(CheckpointRefused) as caught:
        plan(ALL[name]["config"])
    assert all(named in caught.value.reason for named in ALL[name]["refused"])


def test_most_families_have_a_published_config() -> None:
    types = {known["config"]["model_type"] for known in ALL.values()}
    assert len(types & FAMILIES.keys()) > 30


def test_the_first_gemma_has_the_activation_that_transformers_gives_it() -> None:
    made = plan(ALL["google/gemma-2b"]["config"])
    assert made.constants().startswith("gelu_pytorch_tanh ")


def test_a_multiplier_of_a_published_config_enters_the_map() -> None:
    granite = plan(ALL["ibm-granite/granite-3.0-2b-base"]["config"]).constants()
    assert "W_E x 12.0\n" in granite
    assert "W_U x 0.125\n" in granite
    assert "residual x 0.22\n" in granite
    assert "W_U x 0.0625\n" in plan(ALL["CohereForAI/c4ai-command-r-v01"]["config"]).constants()
    assert "W_E x 48.0\n" in plan(ALL["google/gemma-2-2b"]["config"]).constants()
    assert "experts 8.0 False\n" in plan(ALL["allenai/OLMoE-1B-7B-0924"]["config"]).constants()
    assert "experts 8.0 True\n" in plan(ALL["Qwen/Qwen3-30B-A3B"]["config"]).constants()
