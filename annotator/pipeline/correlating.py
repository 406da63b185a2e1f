"""Dynamic scores beside static ones, a shard for each relation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from annotator.catalog.validation import EXPERIMENTS, Shard, score_rows
from annotator.pipeline.experiment import Compute, Experiment, about
from annotator.records import LEAST_PAIRS, RelationPairs

if TYPE_CHECKING:
    from annotator.validate.dynamic import Dynamic
    from annotator.validate.multi_token import MultiToken

NO_PROMPT = "no prompt has its source as one token"


def template_settings(of: Experiment, pairs: RelationPairs) -> dict[str, Any]:
    """What enters a relation's dynamic scores in the four templates."""
    from annotator.validate.prompts import TEMPLATES

    return {**of.settings_of(pairs), "templates": list(TEMPLATES)}


def in_templates(of: Experiment) -> Compute:
    """Scores relations in the four templates.

    A run that goes on has other prompts in a batch than one that was never stopped; in float32 that
    changes last bits, and so a head at the very edge of its k largest.
    """

    def compute(relations: Sequence[RelationPairs]) -> Iterator[tuple[str, Shard]]:
        from annotator.validate.correlate import correlate

        by_name = {one.name: one for one in relations}
        for found in correlate(of.inference, of.vocabulary, relations):
            yield found.relation, _shard(of, by_name[found.relation], found)

    return compute


def _shard(of: Experiment, pairs: RelationPairs, found: Dynamic) -> Shard:
    tables = [
        score_rows("correlate", _scores(of, found, at), relation=pairs.name, template=at)
        for at, prompts in enumerate(found.prompts)
        if prompts
    ]
    facts = {
        "sources": len(pairs.targets),
        "prompts": list(found.prompts),
        "dropped": dict(found.dropped),
        "reason": None if tables else NO_PROMPT,
    }
    return Shard(pa.concat_tables([EXPERIMENTS["correlate"].empty_table(), *tables]), facts)


def _scores(of: Experiment, found: Dynamic, at: int) -> Mapping[str, Any]:
    return {
        "static": of.static(found.relation),
        "without": found.without[at],
        "with_context": found.with_context[at],
    }


def word_settings(of: Experiment, pairs: RelationPairs) -> dict[str, Any]:
    """What enters a relation's scores on sources of several tokens."""
    from annotator.validate.prompts import OF_SEVERAL_TOKENS

    words = [list(pair) for pair in pairs.relation.pairs]
    return {**of.settings_of(pairs), "words": words, "template": OF_SEVERAL_TOKENS}


def on_words(of: Experiment) -> Compute:
    """Scores relations on sources of several tokens, in both forms."""

    def compute(relations: Sequence[RelationPairs]) -> Iterator[tuple[str, Shard]]:
        from annotator.validate.multi_token import FORMS, multi_token

        usable = None if of.usable is None else frozenset(of.usable)
        forms = [multi_token(of.inference, of.vocabulary, relations, f, usable) for f in FORMS]
        for pairs, *found in zip(relations, *forms, strict=True):
            yield pairs.name, _word_shard(of, pairs, found)

    return compute


def _word_shard(of: Experiment, pairs: RelationPairs, found: Sequence[MultiToken]) -> Shard:
    tables = [
        score_rows("multi_token", _scores(of, one.dynamic, 0), relation=pairs.name, form=one.form)
        for one in found
        if one.dynamic is not None
    ]
    facts = {
        "pairs": {one.form: one.pairs for one in found},
        "dropped": {one.form: dict(one.dropped) for one in found},
        "reason": {one.form: one.reason for one in found},
    }
    return Shard(pa.concat_tables([EXPERIMENTS["multi_token"].empty_table(), *tables]), facts)


def not_valid(
    relations: Sequence[RelationPairs], forms: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """The facts of relations that are not valid for the model; with forms, by form."""
    facts: dict[str, dict[str, Any]] = {}
    for one in relations:
        if not one.valid:
            said = f"not valid here: {len(one.ids)} pairs count, {LEAST_PAIRS} are needed"
            counted = {"reason": said, "sources": len(one.targets)}
            by_form = {"reason": dict.fromkeys(forms, said), "pairs": dict.fromkeys(forms, 0)}
            facts[one.name] = {**about(one), **(by_form if forms else counted)}
    return facts
