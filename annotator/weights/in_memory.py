"""A torch module or a state dict in memory: fine-tuned models, merged adapters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from torch import Tensor, nn

from annotator.errors import CheckpointRefused
from annotator.weights.source import tensor_bytes


class InMemory:
    """Tensors that are already loaded; see `Source`.

    Args:
        tensors: the state dict.
        config: the Hugging Face config, as a mapping.
        id: what the catalog calls the model.
    """

    format: Literal["memory"] = "memory"
    revision: str | None = None

    def __init__(self, tensors: Mapping[str, Tensor], config: Mapping[str, Any], id: str) -> None:
        self.id = id
        self.config = config
        self._tensors = tensors
        if any("lora_" in name or ".base_layer." in name for name in tensors):
            raise CheckpointRefused(
                id,
                "it carries adapters beside the weights they change",
                "Merge them first: model = model.merge_and_unload().",
            )

    def names(self) -> Collection[str]:
        return self._tensors.keys()

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._tensors[name].shape)

    def read(self, name: str, index: int | None = None) -> Tensor:
        tensor = self._tensors[name]
        return (tensor if index is None else tensor[index]).detach().cpu()

    def raw(self, name: str) -> memoryview:
        return tensor_bytes(self._tensors[name])


def from_module(module: nn.Module, id: str | None = None) -> InMemory:
    """A Hugging Face causal language model in memory.

    Args:
        module: the model; its `config` says what it is.
        id: a name for it; by default the one it was loaded from.

    Raises:
        CheckpointRefused: it has no config, or adapters that are not merged.
    """
    module = getattr(module, "_orig_mod", module)  # what torch.compile wraps
    config = getattr(module, "config", None)
    if config is None or not hasattr(config, "to_dict"):
        raise CheckpointRefused(
            id or type(module).__name__,
            "the module has no Hugging Face config",
            "Give its state dict a config: annotator.from_state_dict(tensors, config, id).",
        )
    settings: dict[str, Any] = config.to_dict()
    return InMemory(
        module.state_dict(), settings, id or config.name_or_path or type(module).__name__
    )


def from_state_dict(
    tensors: Mapping[str, Tensor], config: Mapping[str, Any], id: str = "state-dict"
) -> InMemory:
    """A state dict with the config that goes with it.

    Raises:
        CheckpointRefused: adapters that are not merged.
    """
    return InMemory(tensors, config, id)
