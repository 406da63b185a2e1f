"""Multimodal models: where they keep the text tower that is mapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Wrapper:
    """A multimodal model_type.

    Attributes:
        text: the text tower's model_type, where its text_config does not name one.
        tied: whether the unembedding is tied where the config that decides is silent.
        decides: which config says whether it is.
    """

    text: str
    tied: bool
    decides: Literal["its own", "the text's", "either"] = "its own"


WRAPPERS: Mapping[str, Wrapper] = {
    "aya_vision": Wrapper("cohere2", tied=True),
    "gemma3": Wrapper("gemma3_text", tied=True),
    "idefics3": Wrapper("llama", tied=False),
    "internvl": Wrapper("qwen2", tied=True),
    "llama4": Wrapper("llama4_text", tied=False, decides="the text's"),
    "llava": Wrapper("llama", tied=False, decides="either"),
    "llava_next": Wrapper("llama", tied=False),
    "llava_onevision": Wrapper("qwen2", tied=False, decides="either"),
    "mistral3": Wrapper("mistral", tied=True),
    "paligemma": Wrapper("gemma", tied=True),
    "qwen2_5_vl": Wrapper("qwen2_5_vl_text", tied=False, decides="either"),
    "qwen2_vl": Wrapper("qwen2_vl_text", tied=False, decides="either"),
    "qwen3_vl": Wrapper("qwen3_vl_text", tied=False),
    "smolvlm": Wrapper("llama", tied=False),
}


@dataclass(frozen=True)
class TowerPlace:
    """Where tensors are in a source.

    Attributes:
        decoder: what comes before the decoder's names.
        head: what comes before the unembedding's name.
    """

    decoder: str
    head: str = ""


PLACES = (
    TowerPlace("language_model.model.", "language_model."),
    TowerPlace("model.language_model."),
    TowerPlace("model.text_model."),
    TowerPlace("language_model."),
    TowerPlace("model."),
)
