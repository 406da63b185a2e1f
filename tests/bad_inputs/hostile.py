"""Files that ask for gigabytes, or break what reads them."""

from __future__ import annotations

import json
import struct

from tests.bad_inputs.case import BadInput, Make, Place
from tests.bad_inputs.models import MAP, config, holds
from tests.test_hostile_files import GGUFS, ONLY_B, REPLACE, replaced

NESTED = "[" * 100_000


def _gguf(what: str) -> Make:
    def make(place: Place) -> None:
        head, size, _ = GGUFS[what]
        with place.write("m.gguf", head).open("r+b") as file:
            file.truncate(size)

    return make


def _tokenizer(*path: str, by: object) -> Make:
    def make(place: Place) -> None:
        file = place.model / "tokenizer.json"
        described = json.loads(file.read_text())
        replaced(*path, by=by)(described)
        file.write_text(json.dumps(described))

    return make


def _huge_config(place: Place) -> None:
    with (place.model / "config.json").open("r+b") as file:
        file.truncate(1 << 40)


def _unreadable(place: Place) -> None:
    (place.model / "model.safetensors").unlink()
    (place.model / "model.safetensors").symlink_to("/proc/self/mem")


HOSTILE = [
    BadInput(
        "GGUF: an array of a billion values", "map m.gguf --out out", _gguf("an array of a billion")
    ),
    BadInput("GGUF: keys without end", "map m.gguf --out out", _gguf("keys without end")),
    BadInput("GGUF: tensors without end", "map m.gguf --out out", _gguf("tensors without end")),
    BadInput("GGUF: a text of a book", "map m.gguf --out out", _gguf("a text of a book")),
    BadInput("a config nested without end", MAP, holds("config.json", NESTED)),
    BadInput("an index nested without end", MAP, holds("model.safetensors.index.json", NESTED)),
    BadInput("a tokenizer nested without end", MAP, holds("tokenizer.json", NESTED)),
    BadInput("a config of a terabyte", MAP, _huge_config),
    BadInput("a billion tokens, by the config", MAP, config(vocab_size=10**9)),
    BadInput("a billion layers", MAP, config(num_hidden_layers=10**9)),
    BadInput("a header of an exabyte", MAP, holds("model.safetensors", struct.pack("<Q", 1 << 60))),
    BadInput(
        "a tokenizer that panics",
        MAP,
        _tokenizer("post_processor", by={**ONLY_B, "pair": [], "special_tokens": {}}),
    ),
    BadInput(
        "a tokenizer with an id of four billion",
        MAP,
        _tokenizer("model", "vocab", "a", by=4 * 10**9),
    ),
    BadInput(
        "a tokenizer that makes a book of a word",
        MAP,
        _tokenizer("normalizer", by={"type": "Sequence", "normalizers": [REPLACE] * 8}),
    ),
    BadInput("weights that the system does not let us read", MAP, _unreadable),
]
