"""What runs under the tests checks its types: functions, those inside others, and constructors."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError

from annotator.maps.relations import best_ranks
from annotator.records import HeadId, Token
from annotator.tokens.vocabulary import from_tokenizer
from tests import tiny
from tests.checked import checked

WRONG: dict[str, Callable[[], object]] = {
    "a function": lambda: best_ranks([], torch.tensor([0]), 1),
    "a method": lambda: HeadId.parse(3),
    "a constructor": lambda: Token("1", "a"),
    "an axis of another length": lambda: best_ranks(torch.ones(1, 3).long(), torch.arange(2), 2),
    "one axis more": lambda: best_ranks(torch.ones(1, 2).long(), torch.ones(1, 2).long(), 2),
    "another dtype": lambda: best_ranks(torch.ones(1, 2).long(), torch.ones(2), 2),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_types_are_refused(what: str) -> None:
    with pytest.raises(TypeCheckError):
        WRONG[what]()


def test_right_ones_are_not() -> None:
    assert HeadId.parse("L1H2") == HeadId(1, 2)
    assert best_ranks(torch.tensor([[3, 1, 2]]), torch.tensor([0, 1, 1]), 2).tolist() == [[3, 1]]


def test_each_inner_function_is_checked_and_remains_itself() -> None:
    known = [from_tokenizer(tiny.tokenizer(vocab), tiny.VOCAB, "tiny") for vocab in (258, 312)]
    assert [len(one.encode(" the")) for one in known] == [4, 1], "each has its own tokenizer"
    for one in known:
        with pytest.raises(TypeCheckError):
            one.encode(3)


def test_what_is_returned_is_checked() -> None:
    def text(of: object) -> str:
        return cast("str", of)

    found = [checked(text, typechecker=beartype) for _ in range(2)]
    for one in found:
        assert one("3") == "3"
        assert one.__annotations__ == {"of": "object", "return": "str"}
        with pytest.raises(TypeCheckError):
            one(3)
