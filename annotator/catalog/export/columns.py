"""What the exported tables and their columns mean, in words: for the dataset card."""

from __future__ import annotations

TABLES = {
    "heads": "a row per head: signatures of its 30 most salient sources with 5 targets each",
    "mappings": "a row per head, source token and target token: the salient mappings",
    "relations": "a row per head and relation: how strongly it implements or suppresses it",
    "relation_curves": "a row per head, relation and k: the same for every k up to the largest",
    "descriptions": "a row per head and describer: what it says the head does",
    "judgments": "a row per rater and description judged: the rater's last answer",
    "verdicts": "a row per description judged: what all raters' last answers on it come to",
    "studies": "a row per describer and kind of item: what all last answers come to",
    "validation": "a row per experiment, relation and head: static and dynamic scores",
    "ablations": "a row per measured accuracy with heads silenced",
}

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
    "static": "relation score from the weights, phi",
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
    **{
        name: f"of described: {words}"
        for name, words in (
            ("accurate", "correct and accurate"),
            ("scope", "correct, but too general or too specific"),
            ("partial", "partly correct"),
            ("poor", "poor"),
        )
    },
    **{
        name: f"of seen: a pattern of kind {name}"
        for name in ("semantic", "language", "general", "unnatural")
    },
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
            ("category", "of what kind the pattern is"),
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
    "validation": {
        "experiment": "correlate, multi-token or variants",
        "template": "correlate: which of the four prompts, from 0; else null",
        "form": "multi-token: how sources were tokenised, natural or paper; else null",
        "variant": "variants: what the static score had more, or in place; else null",
        "without": "dynamic score with the attention forced onto the source; null for variants",
        "with_context": "dynamic score with the attention as it is; null for variants",
    },
    "ablations": {
        "kind": "own: the relation's heads; random: others; control: its heads, another's prompts",
        "other": "random: the draw's number, from 0; control: whose prompts; else empty",
        "step": "how many heads are silenced",
        "heads": "those silenced since the row before, spaces between",
        "correct": "prompts whose answer is the target",
        "prompts": "prompts asked",
    },
}


def meaning(table: str, column: str) -> str:
    """What a column of a table means.

    Raises:
        KeyError: nothing is said of it.
    """
    own = _OWN[table]
    return own[column] if column in own else _EVERYWHERE[column]
