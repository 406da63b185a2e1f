"""Dynamic scores of sources that are several tokens, read at the last of them.

Static scores exist for single tokens only; the paper asks whether they hold for other sources too
(Elhelo & Geva 2024, appendix; docs/definitions.md, "Sources of several tokens"). Targets are
single tokens. There are two forms, as `annotator.validate.prompts` has them: "natural", the word
as it is tokenised in the sentence, and "paper", the word without a leading space after a space
token. A word counts in a form in which it is several tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from annotator.records import RelationPairs
from annotator.records.figure import Figure
from annotator.records.table import Table
from annotator.validate.correlate import DYNAMIC, both_sides
from annotator.validate.experiment import (
    LAYER_AND_HEAD,
    STATIC,
    Experiment,
    ExperimentRows,
    Facts,
    Field,
    Options,
    RelationSettings,
    Shard,
    head_rows,
    not_valid,
    stacked,
)

if TYPE_CHECKING:
    import pandas as pd

    from annotator.tokens.vocabulary import Vocabulary
    from annotator.validate.correlation_tables import Correlation
    from annotator.validate.dynamic_scores import Dynamic, Question
    from annotator.validate.inference import Inference
    from annotator.validate.inputs import ExperimentInputs

FORMS = ("natural", "paper")
LEAST_MULTI_TOKEN = 10
"""A relation with fewer pairs is named, and left out of the median."""
ELEVEN = frozenset(
    {
        *("copying", "country_capital", "country_language", "first_letter", "following_year"),
        *("last_letter", "name_copying", "noun_pronoun", "object_superclass", "synonym"),
        "work_location",
    }
)
"""The relations of the paper's multi-token experiment."""
TITLE = "Sources of several tokens"
ABOUT = (
    "The same r, in one template, with the dynamic score from sources of several tokens, read at "
    "the last of them. Form: how a source was tokenised."
)
MEDIANS = "Medians for sources of several tokens, beside the published ones"
NOTE = (
    "natural: the source as it is written in a sentence; paper: without a leading space, after a "
    "space of its own."
)
PUBLISHED = (
    ("GPT-2 xl, published", 11, 0.89, 0.72),
    ("Pythia 6.9B, published", 11, 0.87, 0.67),
    ("Pythia 12B, published", 11, 0.85, 0.64),
)
"""Medians of r without and with context over so many relations (Elhelo & Geva 2024; read off its
figures: docs/definitions.md, "Published numbers")."""


@dataclass(frozen=True)
class MultiToken:
    """One relation's sources of several tokens, in one form.

    Attributes:
        relation: its name.
        form: how the source is tokenised.
        pairs: how many pairs count.
        dropped: how many of the others do not, by reason.
        dynamic: the scores, one template; None where too few pairs count.
    """

    relation: str
    form: str
    pairs: int
    dropped: Mapping[str, int]
    dynamic: Dynamic | None

    @property
    def reason(self) -> str | None:
        """Why there are no scores."""
        if self.dynamic is not None:
            return None
        return f"{self.pairs} pairs with a source of several tokens; {LEAST_MULTI_TOKEN} are needed"


def settings(lab: ExperimentInputs, _: Options) -> RelationSettings:
    """The words and the template, beside what every experiment has."""
    from annotator.validate.prompts import OF_SEVERAL_TOKENS

    return lambda pairs: {
        **lab.settings_of(pairs),
        "words": [list(pair) for pair in pairs.relation.pairs],
        "template": OF_SEVERAL_TOKENS,
    }


def compute(
    lab: ExperimentInputs, relations: Sequence[RelationPairs], _: Options
) -> Iterator[tuple[str, Shard]]:
    """Dynamic scores of all heads in both forms."""
    usable = None if lab.usable is None else frozenset(lab.usable)
    forms = [multi_token(lab.inference, lab.vocabulary, relations, f, usable) for f in FORMS]
    for pairs, *found in zip(relations, *forms, strict=True):
        rows = [
            head_rows(both_sides(lab, one.dynamic, 0), relation=pairs.name, form=one.form)
            for one in found
            if one.dynamic is not None
        ]
        facts = {
            "pairs": {one.form: one.pairs for one in found},
            "dropped": {one.form: dict(one.dropped) for one in found},
            "reason": {one.form: one.reason for one in found},
        }
        yield pairs.name, Shard(stacked(rows), facts)


def multi_token(
    inference: Inference,
    vocabulary: Vocabulary,
    relations: Sequence[RelationPairs],
    form: str,
    usable: Collection[int] | None = None,
) -> Iterator[MultiToken]:
    """Dynamic scores of all heads on sources of several tokens.

    Args:
        inference: see `open_inference`.
        vocabulary: of the model.
        relations: all their words are looked at; k is theirs, whether or not they are valid.
        form: how sources are tokenised, one of FORMS.
        usable: token ids that count, as `inference` has them; None: all.

    Yields:
        One relation's scores after the other, in the order given.
    """
    from annotator.validate.dynamic_scores import dynamic_scores

    asked = [_question(vocabulary, one, form, usable) for one in relations]
    enough = [question for question, pairs in asked if pairs >= LEAST_MULTI_TOKEN]
    scores = dynamic_scores(inference, enough)
    for question, pairs in asked:
        found = next(scores) if pairs >= LEAST_MULTI_TOKEN else None
        yield MultiToken(question.relation, form, pairs, question.dropped, found)


def _question(
    vocabulary: Vocabulary, pairs: RelationPairs, form: str, usable: Collection[int] | None
) -> tuple[Question, int]:
    """The relation's words in the template, and how many of its pairs they are."""
    from annotator.tokens.pairs import token_of
    from annotator.validate.dynamic_scores import Case, Question
    from annotator.validate.prompts import (
        OF_SEVERAL_TOKENS,
        SourcePrompt,
        natural_prompt,
        published_prompt,
    )

    written = {"natural": natural_prompt, "paper": published_prompt}[form]
    dropped: Counter[str] = Counter()
    targets: dict[str, set[int]] = {}
    for source, target in pairs.relation.pairs:
        id = token_of(target, vocabulary, usable)
        if isinstance(id, str):
            dropped[f"target {id}"] += 1
        else:
            targets.setdefault(source, set()).add(id)
    cases: list[Case] = []
    for source, ids in targets.items():
        prompt = written(vocabulary, OF_SEVERAL_TOKENS, source)
        if isinstance(prompt, SourcePrompt):
            cases.append(Case(prompt, frozenset(ids)))
        else:
            dropped[prompt] += len(ids)
    kept = sum(len(case.targets) for case in cases)
    return Question(pairs.name, pairs.k, [cases], dict(dropped)), kept


def left_out(pairs: RelationPairs, _: bool) -> Facts | None:
    """Relations that are not valid, in each form."""
    facts = not_valid(pairs)
    if facts is None:
        return None
    return {"reason": dict.fromkeys(FORMS, facts["reason"]), "pairs": dict.fromkeys(FORMS, 0)}


def correlations(
    rows: pd.DataFrame, facts: Mapping[str, Facts], draws: int | None = None
) -> list[Correlation]:
    """A row for each relation and form, in the order of the facts.

    Args:
        rows: the experiment's.
        facts: of each relation; `pairs` and `reason` are by form.
        draws: resamples of the intervals.
    """
    from annotator.validate.correlation_tables import correlation
    from annotator.validate.statistics import RESAMPLES

    found: list[Correlation] = []
    for name, own in facts.items():
        for form in FORMS:
            side = rows[(rows["relation"] == name) & (rows["form"] == form)]
            here = {**own, "reason": (own.get("reason") or {}).get(form)}
            found.append(
                correlation(name, here, own["pairs"][form], side, draws or RESAMPLES, form)
            )
    return found


def tables(kept: ExperimentRows) -> list[Table]:
    """R by relation and form, and the medians beside the published ones."""
    from annotator.validate import correlation_tables as shared

    rows = correlations(kept.rows, kept.facts)
    over = shared.medians(rows, kept.model, PUBLISHED, is_published)
    note = f"{shared.NOTE} {NOTE}"
    return [
        shared.correlation_table(rows, "multi-token", TITLE, ABOUT),
        shared.medians_table(over, "multi-token-medians", MEDIANS, note),
    ]


def is_published(row: Correlation) -> bool:
    """Whether the paper had a row's relation in this experiment."""
    return row.published and row.relation in ELEVEN


def figures(kept: ExperimentRows, tables: Sequence[Table]) -> list[Figure]:
    """A point for each head; a figure for each form."""
    from annotator.validate.correlation_tables import scatter

    by_form = {form: kept.rows[kept.rows["form"] == form] for form in FORMS}
    drawn = [scatter(f"multi-token-{f}", rows, tables[0], f) for f, rows in by_form.items()]
    return [figure for one in drawn for figure in one]


EXPERIMENT = Experiment(
    name="multi_token",
    heading="Static and dynamic scores of {model}, sources of several tokens",
    help="""Do the same for sources of several tokens.

    Static scores are those of the relation's single-token sources.
    """,
    label="Correlating",
    fields={
        "form": Field("string", "how sources were tokenised, natural or paper"),
        **LAYER_AND_HEAD,
        **STATIC,
        **DYNAMIC,
    },
    settings=settings,
    compute=compute,
    tables=tables,
    figures=figures,
    left_out=left_out,
)
