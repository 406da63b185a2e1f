r"""Evidence and a template become the two messages that are sent.

A template is one Jinja file with two blocks, `system` and `user`. It sees one variable, `mappings`,
and there every token is a slot already: a JSON string in its quotation marks. Within them stand
letters, marks, digits and punctuation as they are, and as \uXXXX whatever could end a slot, be read
as a template or as chat markup, be part of a control token of some tokenizer, or not be seen:

| in a token | in its slot |
|---|---|
| < > [ ] { } pipe, backquote, quotation mark | \u003c and so on |
| what Unicode's compatibility forms make one of these (a full-width <) | \uff1c |
| what `annotator.tokens.display` would not show: controls, bidi, unassigned | \u202e |
| a combining mark with nothing before it to combine with | \u0301 |
| a backslash | two of them |

`␣`, `⟦` and `⟧` stay: they are display's own, no ordinary token can show them, and no chat format
uses them. So what a head's tokens say never decides where a message or a line ends, and
`json.loads` reads every token back as it was.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass, field, fields
from functools import cache, lru_cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import StrictUndefined, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from annotator.describe.evidence import Evidence, ShownMapping
from annotator.errors import PromptInvalid
from annotator.paths import shipped, user_path
from annotator.records import EVIDENCE_SOURCES, EVIDENCE_TARGETS
from annotator.tokens.display import show_bytes

DESCRIBE_HEAD = "describe_head"
PROMPT_BLOCKS = ("system", "user")
VARIABLES = frozenset({"mappings"})
_PARTS = frozenset(field.name for field in fields(ShownMapping))
_OWN = frozenset(" ␣⟦⟧")
_UNSAFE = frozenset('<>[]{}|`"\\')


@dataclass(frozen=True)
class Template:
    """A template that was read and checked.

    Attributes:
        name: the file, as messages call it.
        digest: SHA-256, in hexadecimal, of its text in UTF-8 with lines ended by a newline.
    """

    name: str
    digest: str
    _compiled: jinja2.Template = field(repr=False, compare=False)


@dataclass(frozen=True)
class Rendered:
    """The messages to be sent.

    Attributes:
        system: the system message; may be empty.
        prompt: the user message.
        digest: the template's.
    """

    system: str
    prompt: str
    digest: str


def read_template(folder: str | Path | None = None, name: str = DESCRIBE_HEAD) -> Template:
    """Read a template, and check it before anything is sent.

    Args:
        folder: a user's own directory, which has to hold it; None: the one that is shipped.
        name: the file's name without `.jinja`.

    Raises:
        PromptInvalid: it is not there, is no template, or asks for what there is not.
    """
    place = shipped("prompts") if folder is None else user_path(folder)
    file = place / f"{name}.jinja"
    source = _read(file)
    digest = hashlib.sha256(source.encode()).hexdigest()
    template = Template(str(file), digest, _compile(source, str(file)))
    slots = ShownMapping("a", ("b",) * EVIDENCE_TARGETS)
    render(Evidence((slots,) * EVIDENCE_SOURCES), template)
    return template


def render(evidence: Evidence, template: Template) -> Rendered:
    """Put a head's evidence into a template.

    Raises:
        PromptInvalid: the template fails on it.
    """
    compiled = template._compiled  # pyright: ignore[reportPrivateUsage]
    try:
        context = compiled.new_context({"mappings": _slots(evidence)})
        system, prompt = ("".join(compiled.blocks[name](context)).strip() for name in PROMPT_BLOCKS)
    except Exception as error:  # whatever a template's expressions meet, the answer is the same
        raise PromptInvalid(template.name, _one_line(error)) from error
    if not prompt:
        raise PromptInvalid(template.name, "its block user is empty")
    return Rendered(system, prompt, template.digest)


@lru_cache(maxsize=1 << 16)
def quote(token: str) -> str:
    """A token's slot: a JSON string, quotation marks and all, that nothing in it can end."""
    slot: list[str] = []
    combines = False  # whether the character before stands as it is, so that a mark can join it
    for char in token:
        put, is_mark = _slot(char)
        alone = is_mark and not combines
        slot.append(_escaped(char) if alone else put)
        combines = put == char and not alone
    return f'"{"".join(slot)}"'


def _slots(evidence: Evidence) -> tuple[ShownMapping, ...]:
    return tuple(
        ShownMapping(quote(mapping.source), tuple(map(quote, mapping.targets)))
        for mapping in evidence.mappings
    )


@cache
def _slot(char: str) -> tuple[str, bool]:
    """What stands for a character in a slot, and whether it is a combining mark."""
    if char in _OWN:
        return char, False
    if char == "\\":
        return "\\\\", False
    after = f"a{char}"  # a mark is shown where it has something to combine with
    visible = show_bytes(after.encode(errors="replace")) == after
    safe = _UNSAFE.isdisjoint(unicodedata.normalize("NFKD", char))
    is_mark = unicodedata.category(char)[0] == "M"
    return char if visible and safe else _escaped(char), is_mark


def _escaped(char: str) -> str:
    code = ord(char)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def _read(file: Traversable) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PromptInvalid(str(file), "there is no such file") from error
    except OSError as error:
        raise PromptInvalid(str(file), error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise PromptInvalid(str(file), "it is not UTF-8") from error


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox that knows a mapping's two parts to be safe; of all else it asks at length."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return (type(obj) is ShownMapping and attr in _PARTS) or super().is_safe_attribute(
            obj, attr, value
        )


def _environment() -> ImmutableSandboxedEnvironment:
    """Jinja as a template here has it: strict, sandboxed, and the same words every time."""
    environment = _Environment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
    )
    del environment.globals["lipsum"], environment.filters["random"]
    return environment


def _compile(source: str, name: str) -> jinja2.Template:
    environment = _environment()
    try:
        tree = environment.parse(source)
        problems = _problems(tree, frozenset(environment.globals))
        compiled = environment.from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise PromptInvalid(name, f"line {error.lineno}: {_one_line(error)}") from error
    if problems:
        raise PromptInvalid(name, "; ".join(problems))
    return compiled


def _problems(tree: nodes.Template, known: frozenset[str]) -> list[str]:
    """All that is wrong with a template that is Jinja."""
    problems: list[str] = []
    if any(True for _ in meta.find_referenced_templates(tree)):
        problems.append("it brings in another file, which its digest would not cover")
    blocks = {node.name for node in tree.body if isinstance(node, nodes.Block)}
    problems += [f"it has no block {name}" for name in PROMPT_BLOCKS if name not in blocks]
    stray = next((node for node in tree.body if not _has_place(node)), None)
    if stray is not None:
        problems.append(
            f"line {stray.lineno}: what is outside of the blocks system and user is never sent"
        )
    unknown = sorted(meta.find_undeclared_variables(tree) - VARIABLES - known)
    if unknown:
        problems.append(f"it uses {', '.join(unknown)}, and all there is is mappings")
    return problems


def _has_place(node: nodes.Node) -> bool:
    """Whether a part at the top of a template is one of the blocks, or the space between them."""
    if isinstance(node, nodes.Block):
        return node.name in PROMPT_BLOCKS
    return isinstance(node, nodes.Output) and all(
        isinstance(part, nodes.TemplateData) and not part.data.strip() for part in node.nodes
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
