"""A config read with what its architecture assumes, and a closed world: unknown keys are refused.

A key enters the map (the table names it), is known not to (INERT, or the entry's own list), or
is refused by name: nobody can say here what it would change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from annotator.errors import CheckpointBroken, CheckpointRefused
from annotator.weights.config_expressions import Const, Only, Setting, named
from annotator.weights.families.ignored_config_keys import INERT
from annotator.weights.family import Family

ATTENTION_LAYERS = ("full_attention", "sliding_attention", "chunked_attention")

ONLY = (
    Only(
        "quantization_config",
        (None,),
        "its weights are quantised; map the unquantised checkpoint, or a GGUF file, which is "
        "dequantised here",
    ),
    Only("is_encoder_decoder", (False, None), "it is no decoder-only language model"),
    Only("add_cross_attention", (False, None), "cross-attention heads are not mapped"),
    Only("pruned_heads", (None, {}, []), "heads that were cut out are not known here"),
)

LARGEST_NUMBER = float(2**63)  # of any number in a config
BIASES = {"attention_bias", "mlp_bias", "use_bias", "qkv_bias", "lm_head_bias"}
_MISSING = object()
_NOTE = "If a setting is a mere note, delete it from the config.json of a folder, and map that."
_LISTED = "`annotator families` lists what is supported."


Known = Mapping[str, Mapping[str, Any]]
NOTHING_ASSUMED: Known = {"defaults": {}, "names": {}}


@cache
def assumed() -> Mapping[str, Known]:
    """model_type -> "defaults" and other "names" of config keys, as in transformers."""
    text = files("annotator.weights.families").joinpath("defaults.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


class ConfigSettings:
    """A config, and what its architecture assumes where a key is absent.

    Args:
        model: what messages call the checkpoint.
        config: the text tower's config.
        known: "defaults" and other "names" of its keys, see `assumed`.

    Attributes:
        asked: every key that was asked for so far.
    """

    def __init__(self, model: str, config: Mapping[str, Any], known: Known) -> None:
        self.model = model
        self.config = config
        self.asked: set[str] = set()
        self._defaults = {"tie_word_embeddings": False, **known["defaults"]}
        self._names = known["names"]

    def get(self, key: str) -> Any:
        """A config value under any of the names transformers knows for it; None where unknown.

        Raises:
            CheckpointBroken: it says one thing under one name, another under another.
        """
        names = self.names(key)
        self.asked |= {*names, key.split(".")[0]}
        said = {name: value for name in names if (value := self._said(name)) is not _MISSING}
        if any(value != said[next(iter(said))] for value in said.values()):
            listed = " and ".join(f"{name} = {value!r}" for name, value in said.items())
            raise CheckpointBroken(self.model, [f"its config says {listed}, which are one setting"])
        return next(iter(said.values()), self._defaults.get(key))

    def names(self, key: str) -> list[str]:
        """A key and the other names that transformers knows for it."""
        others = [other for pair in self._names.items() if key in pair for other in pair]
        return list(dict.fromkeys((key, *others)))

    def _said(self, name: str) -> Any:
        value: Any = self.config
        for part in name.split("."):
            value = value.get(part, _MISSING) if isinstance(value, Mapping) else _MISSING
        return value

    def value(self, setting: Setting) -> Any:
        """What a table's setting comes to in this config.

        Raises:
            CheckpointBroken: a value that the setting is no function of.
        """
        if isinstance(setting, Const):
            return setting.value
        if isinstance(setting, str):
            return self.get(setting)
        value = self.get(setting.key)
        try:
            return setting.to(value)
        except (ArithmeticError, TypeError, ValueError) as error:
            problem = f"its config has {setting.key} = {value!r}, which will not do ({error})"
            raise CheckpointBroken(self.model, [problem]) from error

    def number(self, setting: Setting) -> float:
        """A setting as a finite number.

        Raises:
            CheckpointBroken: it is none.
        """
        value = self.value(setting)
        real = isinstance(value, int | float) and not isinstance(value, bool)
        if not real or not -LARGEST_NUMBER < value < LARGEST_NUMBER:
            problem = f"its config lacks {named(setting)!r} as a number (has {value!r:.60})"
            raise CheckpointBroken(self.model, [problem])
        return float(value)

    def flag(self, setting: bool | str) -> bool:
        """Always, never, or as a config key says."""
        return bool(self.get(setting)) if isinstance(setting, str) else setting

    def refuse_unhandled(self, family: Family) -> None:
        """Refuse every setting that is not handled, all of them at once.

        Raises:
            CheckpointRefused: a value outside those handled, a layer that is no attention, or a
                key that nobody here knows.
        """
        reasons = [
            f"{only.key} = {self.get(only.key)!r} is not handled: {only.reason}"
            for only in (*ONLY, *family.only)
            if self.get(only.key) not in only.values
        ]
        layers: Any = self.get("layer_types") or ()
        if not isinstance(layers, Sequence):
            raise CheckpointBroken(self.model, [f"its config has layer_types = {layers!r}"])
        strange = sorted({str(layer) for layer in layers} - set(ATTENTION_LAYERS))
        if strange:
            reasons.append(
                f"some of its layers have no attention of their own ({', '.join(strange)})"
            )
        reasons += [
            f"{key} = {self.get(key)!r} is not handled: transformers builds no such bias here"
            for key in BIASES - {*family.inert} - self.asked
            if self.get(key) not in (None, False)
        ]
        unknown = self._unknown(family)
        if unknown:
            reasons.append(f"its config has settings that may change the map: {', '.join(unknown)}")
        if reasons:
            raise CheckpointRefused(self.model, "; ".join(reasons), _NOTE if unknown else _LISTED)

    def _unknown(self, family: Family) -> list[str]:
        """Keys that nobody here knows; a null says nothing. What an entry reads into is opened."""
        known = INERT | {*family.inert} | self.asked | BIASES
        opened = {name.split(".")[0] for name in known if "." in name}
        unknown: list[str] = []
        for key, value in self.config.items():
            inner = value if key in opened and isinstance(value, Mapping) else {}
            unknown += [f"{key}.{k}" for k in inner if not {f"{key}.{k}", k} & known]
            if key not in known and value is not None:
                unknown.append(key)
        return sorted(unknown)
