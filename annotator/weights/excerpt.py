"""Some blocks of a checkpoint as transformers' own module, for the oracle to run.

A whole model need not fit in memory: the excerpt has the ends of the residual stream and two
blocks, and its config says so. Loading, names and fused experts included, is transformers' own.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch

from annotator.errors import CheckpointRefused
from annotator.weights.family import Experts, Family

if TYPE_CHECKING:
    from torch import Tensor, nn

    from annotator.weights.plan import Plan


def excerpt(plan: Plan, dtype: torch.dtype, layers: Sequence[int]) -> nn.Module:
    """Some blocks of a checkpoint, layer 0 the first of them, between the ends.

    Returns:
        A causal language model in evaluation mode (the bare decoder where transformers has no such
        class for a text tower).

    Raises:
        CheckpointRefused: a GGUF file, which holds no such module.
    """
    if plan.source.format == "gguf":
        raise CheckpointRefused(
            plan.source.id,
            "a GGUF file keeps only what llama.cpp runs, so that no module can be made of it",
            "Check the safetensors checkpoint that it was converted from.",
        )
    config: Any = _config(plan, layers)
    kind, prefix = _class(config, plan.family)
    state = _state(plan, layers, prefix)
    module = kind.from_pretrained(
        None, config=config, state_dict=state, dtype=dtype, attn_implementation="eager"
    )
    return module.eval()


def _config(plan: Plan, layers: Sequence[int]) -> Any:
    """The text tower's config for so many layers; what is listed by layer is shortened alike."""
    from transformers import CONFIG_MAPPING

    every = plan.dims.n_layers
    content = {
        key: [value[layer] for layer in layers]
        if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == every
        else value
        for key, value in plan.settings.config.items()
        if key != "quantization_config"
    }
    n_layers = cast(str, plan.family.axes.n_layers)
    changes: dict[str, Any] = {n_layers: len(layers), "tie_word_embeddings": plan.tied}
    if plan.family.model_type == "gpt_neo":  # its pattern of local layers must add up
        changes["attention_types"] = [[["global"], len(layers)]]
        content.pop("attention_layers", None)
    kind: Any = CONFIG_MAPPING[plan.family.model_type]
    return kind.from_dict(content | changes)


def _class(config: Any, family: Family) -> tuple[Any, str]:
    """The model class for a config, and what it puts before its decoder's names."""
    from transformers import AutoModel, AutoModelForCausalLM

    with torch.device("meta"):
        try:
            return type(AutoModelForCausalLM.from_config(config)), family.prefix
        except ValueError:  # transformers knows this text tower only inside its wrapper
            return type(AutoModel.from_config(config)), ""


def _state(plan: Plan, layers: Sequence[int], prefix: str) -> Mapping[str, Tensor]:
    """The excerpt's tensors under the names of its class."""
    family, root, head = plan.family, plan.place.decoder, plan.place.head
    block = family.values.linear.name.split("{layer}")[0]
    mlp = _mlp(family)
    ends = tuple(name.rpartition(".")[0] + "." for name in family.W_U.names)
    state: dict[str, Tensor] = {}
    for name in plan.source.names():
        if prefix and name.removeprefix(head).startswith(ends):
            state[name.removeprefix(head)] = plan.source.read(name)
        elif name.startswith(root + block):
            number, _, rest = name.removeprefix(root + block).partition(".")
            # The last block's MLP plays no part, and may be large.
            if int(number) in layers and (number == "0" or not rest.startswith(mlp)):
                at = layers.index(int(number))
                state[f"{prefix}{block}{at}.{rest}"] = plan.source.read(name)
        elif name.startswith(root):
            state[prefix + name.removeprefix(root)] = plan.source.read(name)
    return state


def _mlp(family: Family) -> tuple[str, ...]:
    """How the names of a block's MLP begin after the block's own, in new and older checkpoints."""
    mlp = family.mlp
    linear = mlp.router if isinstance(mlp, Experts) else mlp.up
    first = linear.name.split(".0.", 1)[1].split(".")[0]
    older = f".{first}.".replace(*family.older) if family.older else f".{first}."
    return f"{first}.", older[1:]


@contextmanager
def quiet() -> Generator[None]:
    """Without transformers' bars, and its notes on what it makes of an excerpt."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
