"""The baseline: fixed sentences from the signatures."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from annotator.describe.llm import Llm
from annotator.describe.rule_baseline import RULES, Rules
from annotator.records import Signatures

NOTHING = Signatures(*[0.0] * len(Signatures.names()))


def said(signatures: Signatures) -> dict[str, object]:
    rules = Rules()
    reply = rules.send(rules.request("", json.dumps(asdict(signatures)), ""))
    return {"kind": reply.outcome.kind, **vars(reply.outcome)}


def test_it_has_the_one_method_of_a_language_model_and_says_what_it_is() -> None:
    assert isinstance(Rules(), Llm)
    assert Rules().name == "rules"


@pytest.mark.parametrize(("name", "least", "pattern", "category"), RULES)
def test_each_rule_describes_a_head_that_meets_it(
    name: str, least: float, pattern: str, category: str
) -> None:
    outcome = said(replace(NOTHING, **{name: least}))
    assert (outcome["kind"], outcome["pattern"], outcome["category"]) == (
        "described",
        pattern,
        category,
    )
    assert said(replace(NOTHING, **{name: least - 0.01}))["kind"] == "unclear"


def test_the_first_rule_wins_and_the_same_head_gets_the_same_sentence() -> None:
    both = replace(NOTHING, copy=0.9, hub=0.9)
    assert said(both)["pattern"] == RULES[0][2]
    assert said(both) == said(both)


def test_every_rule_is_about_a_signature() -> None:
    assert {rule[0] for rule in RULES} <= set(Signatures.names())
