"""The families table. A new architecture is one entry in one of these files and one line in tests.

Entries describe the modules of Hugging Face transformers; each names the file it was read from.
`llama_like`, `gpt_like`, `bloom_like` and `experts` hold them; `wrappers` says where multimodal
models keep a text tower, `refusals` what is known and not mapped, `inert` which settings do not
matter, and `defaults.json` what transformers assumes where a config is silent (written by
`make docs`).
"""

from __future__ import annotations

from annotator.weights.families import bloom_like, experts, gpt_like, llama_like
from annotator.weights.families.refusals import REFUSALS as REFUSALS
from annotator.weights.families.wrappers import PLACES as PLACES
from annotator.weights.families.wrappers import WRAPPERS as WRAPPERS
from annotator.weights.families.wrappers import Place as Place
from annotator.weights.families.wrappers import Wrapper as Wrapper
from annotator.weights.family import Family

FAMILIES: dict[str, list[Family]] = {}
_ENTRIES = (*llama_like.ENTRIES, *gpt_like.ENTRIES, *bloom_like.ENTRIES, *experts.ENTRIES)
for _entry in sorted(_ENTRIES, key=lambda entry: entry.model_type):
    FAMILIES.setdefault(_entry.model_type, []).append(_entry)
