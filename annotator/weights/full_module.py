"""The whole checkpoint as transformers' own module, for the experiments that run the model.

A module is only worth comparing with the maps if both are the same model. So every weight must
come from the checkpoint, none drawn at random, and the oracle of `annotator.weights.oracle` is run
on it: W_E, W_U, every layer's heads and the source representation must be those that are mapped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from annotator.errors import AnnotatorError, CheckpointBroken, NotRun
from annotator.weights.model import Model
from annotator.weights.oracle import prove
from annotator.weights.partial_module import class_of, config_of, quiet, state_of
from annotator.weights.plan import Plan
from annotator.weights.source import TensorBroken

_SHOWN = 5
_ATTENTION = {"falcon": "sdpa"}  # whose eager attention adds ALiBi twice (transformers 5.23)


def module_of(model: Model) -> nn.Module:
    """The whole model as transformers runs it: in evaluation, with eager attention, no gradients.

    Falcon is the exception: its eager attention adds ALiBi twice, so it gets another kind.

    Nothing of the checkpoint's own code is run, and nothing is fetched but the checkpoint.

    Args:
        model: the checkpoint, as annotator reads it; a module in memory is copied, not changed.

    Returns:
        A causal language model in the model's dtype on the model's device. Of a multimodal
        checkpoint it is the text tower.

    Raises:
        NotRun: transformers has no causal language model of this family, or cannot load it; a
            weight is absent, or not one that transformers knows; or what its modules compute
            differs from the matrices that are mapped, which are named.
        CheckpointBroken: a tensor's file cannot be read.
    """
    kind, prefix = class_of(model.plan.family)
    if not prefix:
        raise NotRun(
            model.source.id,
            f"transformers has no causal language model of {model.plan.family.model_type!r} alone",
            "Its weights can be mapped and its relations scored, without inference.",
        )
    try:
        with quiet():
            module, info = _loaded(model, kind, prefix)
        _refuse_incomplete(model, info)
        module = module.to(model.device).eval().requires_grad_(False)
        with quiet():
            _refuse_disproved(model, module)
    except AnnotatorError:
        raise
    except TensorBroken as broken:  # it was whole when it was verified
        raise CheckpointBroken(model.source.id, [str(broken)]) from broken
    except Exception as error:
        if isinstance(error, MemoryError) or "memory" in str(error):
            raise
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        remedy = "Mend what it says in config.json, or try another version of transformers."
        reason = f"transformers cannot load it ({said:.300})"
        raise NotRun(model.source.id, reason, remedy) from error
    return module


def _loaded(model: Model, kind: Any, prefix: str) -> tuple[Any, Mapping[str, Any]]:
    """The module, and what transformers says of its loading."""
    config, state = _parts(model.plan, kind, prefix)
    with torch.random.fork_rng(devices=[]):  # whatever it draws is replaced, or refused
        module, info = kind.from_pretrained(
            None,
            config=config,
            state_dict=state,
            dtype=model.dtype,
            attn_implementation=_ATTENTION.get(model.plan.family.model_type, "eager"),
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused by name, as all that is not whole
        )
    if getattr(module.config, "_experts_implementation", None) is not None:
        module.set_experts_implementation("eager")  # grouped products know no float64
    return module, info


def _parts(plan: Plan, kind: Any, prefix: str) -> tuple[Any, Mapping[str, Tensor]]:
    """The config and the tensors of a checkpoint, as transformers wants them."""
    if plan.source.format != "gguf":
        return config_of(plan), state_of(plan, prefix)
    from annotator.weights.gguf import GgufFile
    from annotator.weights.gguf_module import gguf_config, gguf_state

    assert isinstance(plan.source, GgufFile)
    config = gguf_config(plan, plan.source)
    with torch.device("meta"):
        empty = kind(config)
    return config, gguf_state(plan.source, empty)


def _refuse_incomplete(model: Model, info: Mapping[str, Any]) -> None:
    said = {
        "it lacks weights that transformers would draw at random": info["missing_keys"],
        "it has weights that transformers does not use": info["unexpected_keys"],
        "it has weights of other shapes than its config says": info["mismatched_keys"],
        "it has weights that transformers cannot convert": info.get("conversion_errors", ()),
    }
    reasons = [f"{reason}: {_named(keys)}" for reason, keys in said.items() if keys]
    if reasons:
        remedy = "Fetch or save the checkpoint again, whole, as transformers saves it."
        raise NotRun(model.source.id, "; ".join(reasons), remedy)


def _named(keys: Any) -> str:
    names = sorted(str(key[0] if isinstance(key, tuple) else key) for key in keys)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _refuse_disproved(model: Model, module: nn.Module) -> None:
    wrong = [finding.part for finding in prove(model, module) if not finding.proved]
    if wrong:
        reason = f"what transformers computes differs from what is mapped: {_named(wrong)}"
        remedy = "See `annotator check`; a comparison of the two would mean nothing."
        raise NotRun(model.source.id, reason, remedy)
