"""Dynamic scores of sources that are several tokens, read at the last of them.

Static scores exist for single tokens only; the paper asks whether they hold for other sources too
(Elhelo & Geva 2024, appendix; DESIGN, section 2). Targets are single tokens. There are two forms,
as `annotator.validate.prompts` has them: "natural", the word as it is tokenised in the sentence,
and "paper", the word without a leading space after a space token. A word counts in a form in which
it is several tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from annotator.records import RelationPairs
from annotator.tokens.pairs import token_of
from annotator.tokens.vocabulary import Vocabulary
from annotator.validate.dynamic import Case, Dynamic, Question, dynamic_scores
from annotator.validate.inference import Inference
from annotator.validate.prompts import (
    OF_SEVERAL_TOKENS,
    Prompt,
    natural_prompt,
    published_prompt,
)

Form = Literal["natural", "paper"]
FORMS: Mapping[Form, Callable[[Vocabulary, str, str], Prompt | str]] = {
    "natural": natural_prompt,
    "paper": published_prompt,
}
LEAST_PAIRS = 10
"""A relation with fewer pairs is named, and left out of the median."""


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
    form: Form
    pairs: int
    dropped: Mapping[str, int]
    dynamic: Dynamic | None

    @property
    def reason(self) -> str | None:
        """Why there are no scores."""
        if self.dynamic is not None:
            return None
        return f"{self.pairs} pairs with a source of several tokens; {LEAST_PAIRS} are needed"


def multi_token(
    inference: Inference,
    vocabulary: Vocabulary,
    relations: Sequence[RelationPairs],
    form: Form,
    usable: Collection[int] | None = None,
) -> Iterator[MultiToken]:
    """Dynamic scores of all heads on sources of several tokens.

    Args:
        inference: see `open_inference`.
        vocabulary: of the model.
        relations: all their words are looked at; k is theirs, whether or not they are valid.
        form: how sources are tokenised.
        usable: token ids that count, as `inference` has them; None: all.

    Yields:
        One relation's scores after the other, in the order given.
    """
    asked = [_question(vocabulary, one, form, usable) for one in relations]
    enough = [question for question, pairs in asked if pairs >= LEAST_PAIRS]
    scores = dynamic_scores(inference, enough)
    for question, pairs in asked:
        found = next(scores) if pairs >= LEAST_PAIRS else None
        yield MultiToken(question.relation, form, pairs, question.dropped, found)


def _question(
    vocabulary: Vocabulary, pairs: RelationPairs, form: Form, usable: Collection[int] | None
) -> tuple[Question, int]:
    """The relation's words in the template, and how many of its pairs they are."""
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
        prompt = FORMS[form](vocabulary, OF_SEVERAL_TOKENS, source)
        if isinstance(prompt, Prompt):
            cases.append(Case(prompt, frozenset(ids)))
        else:
            dropped[prompt] += len(ids)
    kept = sum(len(case.targets) for case in cases)
    return Question(pairs.name, pairs.k, [cases], dict(dropped)), kept
