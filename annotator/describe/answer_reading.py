"""The answer in a reply, whatever stands around it.

Servers without schemas put much round the JSON: thoughts before a closing tag, with or without an
opening one, a fence, a sentence before it or after. An answer is the one object in a reply that has
the form, and stands in no thoughts. Two that differ are none: nothing says which was meant.
"""

from __future__ import annotations

import json
import re

from pydantic import ValidationError

from annotator.describe.outcome import Answer, Described, Malformed, Unclear

_THOUGHTS = r"(?:\w+:)?(?:think(?:ing)?|thoughts?|reasoning)"
_MARK = re.compile(
    rf"(?P<json>\{{)|(?P<opened><{_THOUGHTS}>|\[THINK\])|</{_THOUGHTS}>|\[/THINK\]", re.I
)
_MOST_BRACES = 1000  # that begin no object: what has more is no answer


def read_answer(reply: str) -> Described | Unclear | Malformed:
    """What a model's reply says: described, unclear or malformed."""
    answers: dict[str, Answer] = {}
    problem = "it has no JSON object"
    for text in _objects(reply):
        try:
            answer = Answer.model_validate_json(text, strict=True)
        except ValidationError as error:
            problem = _problem(error)
        else:
            answers[answer.model_dump_json()] = answer
    if len(answers) != 1:
        return Malformed("it has several answers, which differ" if answers else problem)
    [answer] = answers.values()
    if blank := [name for name in ("inputs", "pattern") if not getattr(answer, name).strip()]:
        return Malformed(f"{' and '.join(blank)}: nothing but blanks")
    if _abstains(answer.pattern):
        return Unclear(answer.reasoning, answer.inputs)
    return Described(answer.reasoning, answer.inputs, answer.pattern, answer.category)


def _objects(reply: str) -> list[str]:
    """The JSON objects in a reply that stand in no other, and in no thoughts."""
    found: list[str] = []
    thinking, at, braces = False, 0, 0
    while (mark := _MARK.search(reply, at)) and braces < _MOST_BRACES:
        at = mark.end()
        if mark["json"]:
            try:
                _, at = json.JSONDecoder().raw_decode(reply, mark.start())
            except (ValueError, RecursionError):
                braces += 1
                continue
            if not thinking:
                found.append(reply[mark.start() : at])
        elif not (thinking := bool(mark["opened"])):
            found.clear()  # whatever came before was thought
    return found


def _problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]


def _abstains(pattern: str) -> bool:
    """Whether it says unclear and nothing else, in whatever quotation marks."""
    words = set(re.findall(r"\w+", pattern.lower()))
    return words - {"the", "a", "pattern", "rule", "is"} == {"unclear"}
