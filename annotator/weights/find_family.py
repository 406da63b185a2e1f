"""Which entry of the table a checkpoint is, or why it is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from annotator.errors import CheckpointBroken, CheckpointRefused, UnknownFamily
from annotator.weights.config import NOTHING_ASSUMED, ConfigSettings, assumed
from annotator.weights.config_expressions import Const, named
from annotator.weights.dims import read_dims
from annotator.weights.families import FAMILIES, PLACES, REFUSALS, WRAPPERS, TowerPlace, Wrapper
from annotator.weights.family import Family
from annotator.weights.mlp import ACTIVATIONS
from annotator.weights.plan import Plan
from annotator.weights.source import Source


def make_plan(source: Source) -> Plan:
    """Find the family, read the axis sizes, and refuse what the table cannot describe.

    Raises:
        UnknownFamily: a model_type without an entry.
        CheckpointRefused: an architecture that is known and not mapped, or a setting that is not
            handled.
        CheckpointBroken: a config that lacks a size, or whose sizes do not fit together.
    """
    wrapper, model_type, config = _text_tower(source)
    # A GGUF header says what its format requires; what transformers would assume is not its word.
    known = NOTHING_ASSUMED if source.format == "gguf" else assumed()[model_type]
    settings = ConfigSettings(source.id, config, known)
    family = _layout(settings, FAMILIES[model_type])
    _refuse_activation(settings, family)
    dims = read_dims(settings, family)
    if dims.n_layers > len(source.names()):
        problem = (
            f"its config says {dims.n_layers} layers, but it has {len(source.names())} tensors"
        )
        raise CheckpointBroken(source.id, [problem])
    place = _place(source, family, wrapper is not None)
    tied = bool(settings.get("tie_word_embeddings"))
    if wrapper is not None:
        tied = _wrapper_ties(source, settings, wrapper, place.head + family.W_U.names[0])
    plan = Plan(source, family, dims, settings, tied, place)
    _ = plan.needs(layers=[0]), plan.constants()  # ask for every setting that enters
    settings.refuse_unhandled(family)
    return plan


def _layout(settings: ConfigSettings, entries: list[Family]) -> Family:
    """The first entry that has the config's layout; all are asked, so that their keys are known."""
    try:
        fitting = [entry for entry in entries if entry.when is None or entry.when(settings.get)]
    except (TypeError, ValueError) as error:
        said = ", ".join(f"{k} = {settings.get(k)!r:.60}" for k in sorted(settings.asked))
        problem = f"its config's layout cannot be told from {said}"
        raise CheckpointBroken(settings.model, [problem]) from error
    return fitting[0]


def _wrapper_ties(source: Source, settings: ConfigSettings, wrapper: Wrapper, W_U: str) -> bool:
    """Whether a multimodal model ties its ends: as the config that decides says, or as it comes."""
    key = "tie_word_embeddings"
    if wrapper.decides == "the text's":
        return bool(settings.get(key))
    if wrapper.decides == "either" and settings.get(key):
        return True
    said = source.config.get(key)
    return wrapper.tied and W_U not in source.names() if said is None else bool(said)


def _text_tower(source: Source) -> tuple[Wrapper | None, str, Mapping[str, Any]]:
    """What a multimodal model is, None where it is none; the text's model_type and config."""
    config = source.config
    model_type = str(config.get("model_type") or "")
    if not model_type:
        raise CheckpointBroken(source.id, ["its config names no model_type"])
    if model_type not in WRAPPERS:
        return None, _supported(source, model_type), config
    wrapper = WRAPPERS[model_type]
    text: Any = config.get("text_config") or config
    if not isinstance(text, Mapping):
        raise CheckpointBroken(source.id, [f"its config has text_config = {text!r:.60}"])
    named = str(text.get("model_type") or wrapper.text)
    text_type = wrapper.text if named == model_type else named
    quantised = config.get("quantization_config") or text.get("quantization_config")
    return wrapper, _supported(source, text_type), {**text, "quantization_config": quantised}


def _supported(source: Source, model_type: str) -> str:
    if model_type in REFUSALS:
        reason = f"it is of family {model_type!r}: {REFUSALS[model_type]}"
        raise CheckpointRefused(source.id, reason, f"Supported: {', '.join(sorted(FAMILIES))}.")
    if model_type not in FAMILIES:
        raise UnknownFamily(source.id, model_type, sorted(FAMILIES))
    return model_type


def _refuse_activation(settings: ConfigSettings, family: Family) -> None:
    activation = settings.value(family.activation)
    if isinstance(family.activation, Const):
        return
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise CheckpointRefused(
            settings.model,
            f"{named(family.activation)} = {activation!r} is not known",
            f"Known activations: {', '.join(sorted(ACTIVATIONS))}.",
        )


def _place(source: Source, family: Family, wrapped: bool) -> TowerPlace:
    """Where the source has the decoder: behind the causal model's prefix, or a part of it."""
    names = source.names()
    if wrapped:
        held = [place for place in PLACES if place.decoder + family.W_E.names[0] in names]
        return held[0] if held else PLACES[1]
    parts = family.prefix.split(".")
    places = [".".join(parts[start:]) for start in range(len(parts))]
    return TowerPlace(
        next(place for place in places if any(name.startswith(place) for name in names))
    )
