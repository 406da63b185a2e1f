"""A config read with what its architecture assumes, and a closed world: unknown keys are refused.

A key enters the map (the table names it), is known not to (INERT, or the entry's own list), or
is refused by name: nobody can say here what it would change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from math import inf
from numbers import Real
from typing import Any

from annotator.errors import CheckpointBroken, CheckpointRefused
from annotator.weights.families.inert import INERT
from annotator.weights.family import Const, Family, Of, Only, Setting

ATTENTION_LAYERS = ("full_attention", "sliding_attention", "chunked_attention")

ONLY = (
    Only(
        "quantization_config",
        (None,),
        "its weights are quantised; map the unquantised checkpoint, or a GGUF file, which is "
        "dequantised here",
    ),
    Only("is_encoder_decoder", (False, None), "it is no decoder-only language model"),
)

_MISSING = object()
_NOTE = "If a setting is a mere note, delete it from config.json."
_LISTED = "`annotator families` lists what is supported."


Known = Mapping[str, Mapping[str, Any]]
NOTHING: Known = {"defaults": {}, "names": {}}


@cache
def assumed() -> Mapping[str, Known]:
    """model_type -> "defaults" and other "names" of config keys, as in transformers."""
    text = files("annotator.weights.families").joinpath("defaults.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


class Settings:
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
        """A config value under any of the names transformers knows for it; None where unknown."""
        self.asked |= {key, *self._other_names(key), key.split(".")[0]}
        value = self._look_up(key)
        return self._defaults.get(key) if value is _MISSING else value

    def _other_names(self, key: str) -> list[str]:
        return [other for pair in self._names.items() if key in pair for other in pair]

    def _look_up(self, key: str) -> Any:
        for name in (key, *self._other_names(key)):
            value: Any = self.config
            for part in name.split("."):
                value = value.get(part, _MISSING) if isinstance(value, Mapping) else _MISSING
            if value is not _MISSING:
                return value
        return _MISSING

    def value(self, setting: Setting) -> Any:
        """What a table's setting comes to in this config."""
        if isinstance(setting, Const):
            return setting.value
        return (
            setting.to(self.number(setting.key)) if isinstance(setting, Of) else self.get(setting)
        )

    def number(self, setting: Setting) -> float:
        """A setting as a finite number.

        Raises:
            CheckpointBroken: it is none.
        """
        value = self.value(setting)
        if isinstance(value, bool) or not isinstance(value, Real) or not -inf < float(value) < inf:
            raise CheckpointBroken(
                self.model, [f"its config lacks {setting!r} as a number (has {value!r})"]
            )
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
        strange = sorted({str(layer) for layer in layers} - set(ATTENTION_LAYERS))
        if strange:
            reasons.append(
                f"some of its layers have no attention of their own ({', '.join(strange)})"
            )
        known = INERT | {*family.inert} | self.asked
        unknown = sorted(k for k, v in self.config.items() if k not in known and v is not None)
        if unknown:
            reasons.append(f"its config has settings that may change the map: {', '.join(unknown)}")
        if reasons:
            raise CheckpointRefused(self.model, "; ".join(reasons), _NOTE if unknown else _LISTED)
