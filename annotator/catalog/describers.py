"""Who has described a catalog's heads, and what they are called: spelled and resolved here alone.

In full a describer is the language model, without the server or folder that it was reached by, and
the name that it was given, or else the first letters of its prompt's digest: `openai:strong#v2`,
`openai:strong#1a2b3c4d`. The baseline is `rules`. In short, as people are shown it, it is the
language model alone, where nobody else is called so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from annotator.errors import DescriberUnknown
from annotator.records import BASELINE, Describer

if TYPE_CHECKING:
    from annotator.ledger.ledger import Ledger

FOLDER_LIKE = re.compile(r"[/\\~.]|[A-Za-z]:[/\\]|.*\\")
SLASH = re.compile(r"[/\\]")
_SERVER = re.compile(r"@(?=\w+://)|\b\w+://")
_DIGITS = 8  # of a digest; where two begin alike, all of it


class Describers:
    """Everybody who has described heads of a catalog, or whose descriptions are judged.

    Args:
        asked: language models, as --llm names them, in the order they were first asked.
        there: the describers, in that order.

    Attributes:
        there: the describers.
    """

    def __init__(self, asked: Iterable[str], there: Iterable[Describer]) -> None:
        self.there = tuple(dict.fromkeys(there))
        self._llms = _numbered([*asked, *(one.llm for one in self.there)])

    def llm(self, who: Describer) -> str:
        """The language model; of two that would be called the same, the later one is numbered."""
        return self._llms[who.llm]

    def full(self, who: Describer) -> str:
        """A name that no other describer here has."""
        prompts = {one.template for one in self.there if one.llm == who.llm}
        begin = who.template[:_DIGITS]
        alone = sum(prompt.startswith(begin) for prompt in prompts) == 1
        tail = "" if who.llm == BASELINE else who.name or (begin if alone else who.template)
        return f"{self.llm(who)}#{tail}" if tail else self.llm(who)

    def short(self, who: Describer) -> str:
        """The language model where only one describer here is called so; else the full name."""
        alone = sum(self.llm(one) == self.llm(who) for one in self.there) == 1
        return self.llm(who) if alone else self.full(who)

    def find(self, named: str) -> Describer:
        """Whom a text names: by any name of theirs, or any part of one that no other has.

        Raises:
            DescriberUnknown: nobody, or several.
        """
        whole = {one: self.full(one) for one in self.there}
        names = {one: {whole[one], one.llm, self.llm(one), one.name} - {""} for one in self.there}
        for found in (
            [one for one, full in whole.items() if full == named],
            [one for one, every in names.items() if named in every],
            [one for one, every in names.items() if any(named in name for name in every)],
        ):
            if len(found) == 1:
                return found[0]
            if found:
                raise DescriberUnknown(named, [whole[one] for one in found], several=True)
        raise DescriberUnknown(named, list(whole.values()))


def read_describers(ledger: Ledger) -> Describers:
    """Those of a ledger.

    Raises:
        LedgerUnusable: it cannot be read.
    """
    from annotator.ledger.judgments import Judgments

    judged = (item.who for item in Judgments(ledger).shown())
    return Describers(ledger.llms(), [*ledger.describers(), *judged])


def shorts(names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What people are shown of describers that exports name.

    Args:
        names: of each the language model and the full name, as exports have them.

    Returns:
        The short name of each full one.
    """
    pairs = dict.fromkeys(names)
    counts = Counter(llm for llm, _ in pairs)
    return {full: llm if counts[llm] == 1 else full for llm, full in pairs}


def _numbered(llms: Iterable[str]) -> dict[str, str]:
    """Every language model's public name, by what --llm called it."""
    given: dict[str, str] = {}
    for llm in dict.fromkeys(llms):
        name, number = _public(llm), 1
        while (called := name if number == 1 else f"{name} ({number})") in given.values():
            number += 1
        given[llm] = called
    return given


def _public(llm: str) -> str:
    kind, colon, model = llm.partition(":")
    if not colon:
        kind, model = "", llm
    if model.startswith("//"):  # an address, not a kind
        kind, colon, model = "", "", re.split(r"[?#]", model)[0].rpartition("/")[2]
    name = model if kind == "local" else _SERVER.split(model)[0]
    if kind == "local" or FOLDER_LIKE.match(name):
        name = next((part for part in reversed(SLASH.split(name)) if part), name)
    return f"{kind}{colon}{name}"
