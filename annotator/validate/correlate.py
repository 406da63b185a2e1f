"""Static against dynamic scores: every head, in the paper's four templates.

The paper's Pearson's r is between static relation scores and dynamic ones over all heads and
templates (Elhelo & Geva 2024, section 4.2); here are the dynamic ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from annotator.records import RelationPairs
from annotator.tokens.vocabulary import Vocabulary
from annotator.validate.dynamic import Case, Dynamic, Question, dynamic_scores
from annotator.validate.inference import Inference
from annotator.validate.prompts import TEMPLATES, Prompt, prompt_of


def correlate(
    inference: Inference, vocabulary: Vocabulary, relations: Sequence[RelationPairs]
) -> Iterator[Dynamic]:
    """Dynamic scores of all heads in the four templates.

    A source that many relations have is run once; give all relations that are wanted at once.

    Args:
        inference: see `open_inference`; its usable tokens are those the pairs were made with.
        vocabulary: of the model.
        relations: what counts of them for the model.

    Yields:
        One relation's scores after the other, in the order given; shares of its distinct sources.
    """
    yield from dynamic_scores(inference, [question_of(vocabulary, one) for one in relations])


def question_of(vocabulary: Vocabulary, pairs: RelationPairs) -> Question:
    """A relation's sources in the four templates; those that a tokenizer cuts otherwise are out."""
    dropped: Counter[str] = Counter()
    templates: list[list[Case]] = []
    for template in TEMPLATES:
        cases: list[Case] = []
        for source, targets in pairs.targets.items():
            prompt = prompt_of(vocabulary, template, [source])
            if isinstance(prompt, Prompt):
                cases.append(Case(prompt, targets))
            else:
                dropped[prompt] += 1
        templates.append(cases)
    return Question(pairs.name, pairs.k, templates, dict(dropped))
