"""The families table. A new architecture is one entry in one of these files and one line in tests.

Entries describe the modules of Hugging Face transformers; each names the file it was read from.
`llama_like`, `gpt_like`, `bloom_like` and `experts` hold them; `wrappers` says where multimodal
models keep a text tower, `refusals` what is known and not mapped, `ignored_config_keys` which
settings do not matter, and `defaults.json` what transformers assumes where a config is silent
(written by `make docs`). It is loaded whole when a model is opened: 58 entries of data take 10 ms
and import nothing but their vocabulary; to load them one by one would name each a second time.
"""

from __future__ import annotations

from annotator.weights.families import bloom_like, experts, gpt_like, llama_like
from annotator.weights.families.refusals import REFUSALS as REFUSALS
from annotator.weights.families.wrappers import PLACES as PLACES
from annotator.weights.families.wrappers import WRAPPERS as WRAPPERS
from annotator.weights.families.wrappers import TowerPlace as TowerPlace
from annotator.weights.families.wrappers import Wrapper as Wrapper
from annotator.weights.family import Family


def _entries() -> list[Family]:
    """Every entry that a file of the table names, in its order, those without a condition last."""
    modules = (llama_like, gpt_like, bloom_like, experts)
    named = [pair for module in modules for pair in vars(module).items()]
    found = {
        entry.name: entry
        for name, entry in named
        if isinstance(entry, Family) and not name.startswith("_")
    }
    return sorted(found.values(), key=lambda entry: (entry.model_type, entry.when is None))


FAMILIES: dict[str, list[Family]] = {}
for _entry in _entries():
    FAMILIES.setdefault(_entry.model_type, []).append(_entry)
