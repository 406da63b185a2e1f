"""Some blocks of a checkpoint as transformers' own module, for the oracle to run.

A whole model need not fit in memory: the excerpt has the ends of the residual stream and two
blocks, and its config says so. Loading, names and fused experts included, is transformers' own.
`annotator.weights.full_module` makes the whole model of the same parts.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from annotator.errors import CheckpointRefused
from annotator.weights.families.ignored_config_keys import BOOKKEEPING
from annotator.weights.family import Experts, Family
from annotator.weights.plan import Plan

_LISTED_BY_LAYER = {"layer_types", "no_rope_layers"}
_DROPPED = {*BOOKKEEPING, "quantization_config", "attention_layers"}


def excerpt(plan: Plan, dtype: torch.dtype, layers: Sequence[int]) -> nn.Module:
    """Some blocks of a checkpoint, layer 0 the first of them, between the ends.

    Nothing of the checkpoint's own code is run, and nothing is fetched.

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
    config: Any = config_of(plan, layers)
    kind, prefix = class_of(plan.family)
    state = state_of(plan, prefix, layers)
    with torch.random.fork_rng(devices=[]):  # what a last block lacks is drawn
        module = kind.from_pretrained(
            None, config=config, state_dict=state, dtype=dtype, attn_implementation="eager"
        )
    return module.eval()


def config_of(plan: Plan, layers: Sequence[int] | None = None) -> Any:
    """The text tower's config, of all layers or some; lists by layer are shortened alike."""
    from transformers import CONFIG_MAPPING

    family, said = plan.family, plan.settings.config
    kind: Any = CONFIG_MAPPING[family.model_type]
    content = {key: said[key] for key in said if key not in _DROPPED}
    content["tie_word_embeddings"] = plan.tied
    if layers is None:
        return kind.from_dict(content)
    for key in _LISTED_BY_LAYER & content.keys():
        if content[key]:
            content[key] = [content[key][layer] for layer in layers]
    for name in plan.settings.names(cast(str, family.axes.n_layers)):
        content.pop(name, None)
    content[cast(str, family.axes.n_layers)] = len(layers)
    if family.pattern is not None:
        key, says = family.pattern
        content[key] = says(len(layers))
    return kind.from_dict(content)


def class_of(family: Family) -> tuple[Any, str]:
    """The model class of a family, and what it puts before its decoder's names.

    That is nothing where transformers has no causal language model of the family, but a decoder.
    """
    import transformers
    from transformers.models.auto import modeling_auto as auto

    causal = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(family.model_type)
    if causal is not None:
        return getattr(transformers, causal), family.prefix
    # transformers knows this text tower only inside its wrapper
    return getattr(transformers, auto.MODEL_MAPPING_NAMES[family.model_type]), ""


def state_of(plan: Plan, prefix: str, layers: Sequence[int] | None = None) -> Mapping[str, Tensor]:
    """A checkpoint's tensors under the names of its class: all, or those of an excerpt.

    Raises:
        TensorBroken: a file cannot be read.
    """
    family, root, head = plan.family, plan.place.decoder, plan.place.head
    block = family.values.linear.name.split("{layer}")[0]
    mlp = _mlp(family)
    ends = tuple(name.rpartition(".")[0] + "." for name in family.W_U.names)
    chosen = range(plan.dims.n_layers) if layers is None else layers
    state: dict[str, Tensor] = {}
    for name in plan.source.names():
        if prefix and name.removeprefix(head).startswith(ends):
            state[name.removeprefix(head)] = plan.source.read(name)
        elif name.startswith(root + block):
            number, _, rest = name.removeprefix(root + block).partition(".")
            # An excerpt's last MLP plays no part, and may be large.
            needed = layers is None or number == "0" or not rest.startswith(mlp)
            if int(number) in chosen and needed:
                at = chosen.index(int(number))
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


def attention_parts(
    module: nn.Module, family: Family, root: str, layers: Iterable[int]
) -> tuple[list[nn.Module], list[nn.Module]]:
    """The attention modules of some layers, and their output projections.

    Args:
        module: transformers' own.
        family: its entry in the table.
        root: what comes before the decoder's names.
        layers: which.
    """
    values = [root + family.values.linear.name.format(layer=layer) for layer in layers]
    outputs = [root + family.output.name.format(layer=layer) for layer in layers]
    return (
        [module.get_submodule(name.rpartition(".")[0]) for name in values],
        [module.get_submodule(name) for name in outputs],
    )


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
