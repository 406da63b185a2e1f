"""Multimodal models: where they keep the text tower that is mapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Wrapper:
    """A multimodal model_type.

    Attributes:
        text: the text tower's model_type, where its text_config does not name one.
        tied: whether the unembedding is tied where neither config says so.
    """

    text: str
    tied: bool


WRAPPERS: Mapping[str, Wrapper] = {
    "aya_vision": Wrapper("cohere2", tied=True),
    "gemma3": Wrapper("gemma3_text", tied=True),
    "idefics3": Wrapper("llama", tied=False),
    "internvl": Wrapper("qwen2", tied=True),
    "llama4": Wrapper("llama4_text", tied=False),
    "llava": Wrapper("llama", tied=False),
    "llava_next": Wrapper("llama", tied=False),
    "llava_onevision": Wrapper("qwen2", tied=False),
    "mistral3": Wrapper("mistral", tied=True),
    "paligemma": Wrapper("gemma", tied=True),
    "qwen2_5_vl": Wrapper("qwen2_5_vl_text", tied=False),
    "qwen2_vl": Wrapper("qwen2_vl_text", tied=False),
    "qwen3_vl": Wrapper("qwen3_vl_text", tied=False),
    "smolvlm": Wrapper("llama", tied=False),
}


@dataclass(frozen=True)
class Place:
    """Where tensors are in a source.

    Attributes:
        decoder: what comes before the decoder's names.
        head: what comes before the unembedding's name.
    """

    decoder: str
    head: str = ""


PLACES = (
    Place("language_model.model.", "language_model."),
    Place("model.language_model."),
    Place("model.text_model."),
    Place("language_model."),
    Place("model."),
)
