"""What the exported tables and their columns mean, in words: for the dataset card."""

from __future__ import annotations

from collections.abc import Sequence

from annotator.records import CATEGORIES, PRECISIONS
from annotator.validate.experiment import Experiment
from annotator.validate.registry import experiments

TABLES = {
    "heads": "a row per head: signatures of its 30 most salient sources with 5 targets each",
    "mappings": "a row per head, source token and target token: the salient mappings",
    "relations": "a row per head and relation: how strongly it implements or suppresses it",
    "relation_curves": "a row per head, relation and k: the same for every k up to the largest",
    "descriptions": "a row per head and describer: what it says the head does",
    "judgments": "a row per rater and description judged: the rater's last answer",
    "verdicts": "a row per description judged: what all raters' last answers on it come to",
    "studies": "a row per describer and kind of item: what all last answers come to",
}
"""Of those that no experiment brings."""
COLUMN = "experiment"
"""A column of tables in which several experiments have their rows."""

_EVERYWHERE = {
    "model": "the model's name, or its id on the Hugging Face hub",
    "revision": "the hub's commit; null: the weights were local files, told by their digest",
    "id": "the head's name in the world: model, revision (or weight digest), layer and head",
    "layer": "from 0",
    "head": "query head in its layer, from 0",
    "kv_head": "the key-value head that it reads its values from",
    "relation": "the relation's name",
    "llm": "who wrote the description; rules: the baseline, and no language model",
    "describer": "the same with its name, or the first letters of its prompt's digest",
    "suppression": "the same share on the negated map",
}
_SEEN = {
    "kind": "of what was judged: real, or how else it was made",
    "status": "of the description that was judged: described or unclear",
    "item": "what was judged: the same for the same mappings and description",
    "key": "SHA-256 of the request whose answer was judged, as in descriptions",
    "template": "SHA-256 of the template of its prompt; empty for the baseline",
}
_NUMBERS = {
    "answered": "how many answers there are, one for each rater and item",
    "skipped": "how often an item was skipped instead",
    "seen": "answers that see a pattern",
    "described": "answers that see a pattern where one was described",
    "missed": "answers that see a pattern where the describer abstained",
    "abstained": "answers that see none where the describer abstained",
    "invented": "answers that see none where one was described",
    **{name: f"of described: {words}" for name, words in PRECISIONS.items()},
    **{name: f"of seen: a pattern of category {name}" for name in CATEGORIES},
    "accepted": "of described: accurate, or of the wrong scope",
    "strict": "of described: accurate",
    "matched": "described and abstained together; of answered",
    **{
        f"{name}_{part}": f"{words}; null where there is nothing to share"
        for name, of in (
            ("accepted", "described"),
            ("strict", "described"),
            ("matched", "answered"),
        )
        for part, words in (
            ("share", f"{name}, as a share of {of}"),
            ("low", "lower end of its 95 % interval (Wilson)"),
            ("high", "upper end of its 95 % interval (Wilson)"),
        )
    },
    **{
        f"{name}_{question}{part}": words
        for question, what in (
            ("pattern", "whether there is a pattern"),
            ("precision", "how well the description fits"),
            ("category", "of what category the pattern is"),
        )
        for name, part, words in (
            ("pairs", "", f"pairs of raters who both said {what}"),
            ("agree", "", f"those of them who said the same of {what}"),
            ("agree", "_share", "the latter as a share of the former; null where there are none"),
        )
    },
    "seconds": "spent on it by the median answer; null: not known",
}
_OWN = {
    "heads": {
        "copy": "share of sources whose first target equals the source",
        "stem": "share of sources of which a target begins as the source does",
        "hub": "share of rows with the most frequent target",
        "distinct": "distinct targets, as a share of all",
        "script": "share of targets in another script than their source",
        "fragment": "share of whitespace, punctuation and partial bytes",
        "focus": "sigma mass of the sources over that of the vocabulary; 0: as if all were alike",
        "strength": "how far the top logit stands out",
        "telling": "strength * (1 - hub) * (1 - fragment)",
    },
    "mappings": {
        "source_rank": "rank of the source by sigma, from 0",
        "source_id": "token id of the source",
        "source": "the source as it is shown (see Tokens)",
        "sigma": "saliency of the source; null for a row of zero norm",
        "side": "top: promoted targets; bottom: suppressed ones",
        "target_rank": "rank of the target in its row and side, from 0",
        "target_id": "token id of the target",
        "target": "the target as it is shown (see Tokens)",
        "logit": "how strongly the head promotes the target when it attends to the source",
    },
    "relations": {
        "k": "a source counts where a target is among the k largest logits",
        "sources": "distinct sources, of which the scores are shares",
        "phi": "relation score: share of the sources that count",
        "p": "share of re-paired relations that score as high; 1 where phi is 0",
        "q": "p after Benjamini and Hochberg over heads, relations and both signs",
        "suppression_p": "p of the suppression score",
        "suppression_q": "q of the suppression score",
        "flagged": "phi above .15, the paper's flag",
        "implements": "flagged, and q at most .05",
        "suppresses": "suppression above .15, and its q at most .05",
    },
    "relation_curves": {
        "k": "how far from the top (or the bottom) a target counts",
        "phi": "relation score at that k",
    },
    "descriptions": {
        "baseline": "whether it comes from fixed rules, not from a language model",
        "status": "described, unclear (no pattern is seen), refused, truncated or malformed",
        "inputs": "what the inputs are; null unless described or unclear",
        "pattern": "what they are mapped to; null unless described",
        "category": "semantic, language, general or unnatural; null unless described",
        "reasoning": "why; null unless described or unclear",
        "problem": "what there is in place of an answer; null if described or unclear",
        "template": "SHA-256 of the prompt's template; empty for the baseline",
        "key": "SHA-256 of the whole request",
        "tokens_in": "prompt tokens of all attempts",
        "tokens_out": "completion tokens of all attempts",
        "seconds": "how long the answer took",
        "at": "when it came, UTC",
        "superseded": "whether the describer has said something else of the head since",
    },
    "judgments": {
        **_SEEN,
        "rater": "pseudonym, by the order of first answers",
        "pattern": "whether the rater sees a recurring pattern; null: skipped",
        "precision": "accurate, scope, partial or poor; null: not asked",
        "category": "semantic, language, general or unnatural; null: not asked",
        "comment": "the rater's own words",
        "skipped": "whether the rater passed it over",
        "seconds": "the rater spent on it; null: not known",
        "at": "when it was given or last edited, UTC",
    },
    "verdicts": {**_SEEN, **_NUMBERS},
    "studies": {**_SEEN, **_NUMBERS, "items": "how many there are to judge"},
}


def by_table() -> dict[str, list[Experiment]]:
    """The experiments, by the table that holds their rows."""
    found: dict[str, list[Experiment]] = {}
    for one in experiments():
        found.setdefault(one.exported.name, []).append(one)
    return found


def about(table: str) -> str:
    """What a table's rows are."""
    measured = by_table().get(table)
    return measured[0].exported.about if measured else TABLES[table]


def meaning(table: str, column: str) -> str:
    """What a column of a table means.

    Raises:
        KeyError: nothing is said of it.
    """
    own = _measured(by_table()[table], column) if table in by_table() else _OWN[table].get(column)
    return _EVERYWHERE[column] if own is None else own


def _measured(sharing: Sequence[Experiment], column: str) -> str | None:
    """What a column of experiments means; in some rows of a shared table it is null."""
    if column == COLUMN and sharing[0].exported.shared:
        return _listed([one.command for one in sharing])
    having = [one for one in sharing if column in one.fields]
    if not having:
        return None
    field, without = having[0].fields[column], [one for one in sharing if one not in having]
    if not without:
        return field.meaning
    if field.kind.startswith("float"):
        return f"{field.meaning}; null for {_listed([one.command for one in without])}"
    return f"{_listed([one.command for one in having])}: {field.meaning}; else null"


def _listed(names: Sequence[str]) -> str:
    """Names as a sentence has them."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
