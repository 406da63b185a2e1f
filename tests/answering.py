"""A tiny model whose answers are known, and relations that it knows or does not.

What the experiments in inference need end to end: sources and targets of one token, prompts that
the model answers, a relation it does not, one that is not asked for, one of too few pairs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import annotator
from annotator.records import Relation
from tests import tiny
from tests.related import WORDS, made, written

PROMPT = "of the <X> in"


def saying_words(seed: int = 0) -> Any:
    """A model whose answers are WORDS: the unembedding has no other rows."""
    model = tiny.randomised(tiny.llama(), seed)
    ids = [tiny.tokenizer().encode(f" {word}").ids for word in WORDS]
    words = torch.zeros(tiny.VOCAB, 1)
    words[torch.tensor(ids).flatten()] = 1
    with torch.no_grad():
        model.lm_head.weight.mul_(words)
    return model


def answers(model: Any) -> dict[str, str]:
    """What the whole model says to the prompt of each word."""
    tokenizer = tiny.tokenizer()
    said: dict[str, str] = {}
    for word in WORDS:
        ids = tokenizer.encode(PROMPT.replace("<X>", word)).ids
        with torch.no_grad():
            best = model(torch.tensor([ids])).logits[0, -1].argmax()
        said[word] = tokenizer.decode([int(best)]).removeprefix(" ")
    return said


def relations(said: dict[str, str]) -> tuple[list[Relation], dict[str, Any]]:
    """Three that are asked for, of which the last is not known; one that is not; one of few."""
    others = [word for word in WORDS if word not in said.values()]

    def told(*more: str) -> tuple[tuple[str, str], ...]:
        pairs = {(word, said[word]) for word in WORDS}
        return tuple(sorted(pairs | {(word, target) for word in WORDS for target in more}))

    several = tuple((f"the {word}", "t") for word in WORDS)
    made_up = [
        Relation("known", told(*others[:2])),
        Relation("also", told(*others[2:4])),
        Relation("unknown", tuple((word, target) for word in WORDS for target in others[:3])),
        Relation("silent", made("silent", 40).pairs + several),
        Relation("few", tuple((word, "t") for word in WORDS)),
    ]
    asked = {"prompt": PROMPT, "k": 1}
    fields = {
        **{"known": asked | {"published": True}, "also": asked, "unknown": asked},
        **{"silent": {"k": 1}, "few": asked},
    }
    return made_up, fields


def make_home(home: Path) -> Path:
    """A model, relations for it, and a catalog with their scores."""
    model = saying_words()
    tiny.save(home / "tiny-llama", model)
    written(home / "relations", *relations(answers(model)))
    annotator.map_model(home / "tiny-llama", home / "catalog")
    annotator.score_relations(home / "catalog", home / "relations", draws=50)
    return home
