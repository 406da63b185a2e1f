"""Where templates are found, what the shipped one says, and what of a template is refused."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import annotator
from annotator.describe.evidence import Evidence, ShownMapping
from annotator.describe.outcome import Answer
from annotator.describe.prompt import Template, read_template, render
from annotator.errors import PromptInvalid
from annotator.records import Category
from annotator.tokens.load import load_vocabulary
from annotator.weights.open_source import open_source

REPOSITORY = Path(annotator.__file__).parent.parent
SHIPPED = REPOSITORY / "prompts" / "describe_head.jinja"


@pytest.fixture(scope="module")
def shipped() -> Template:
    return read_template()


def evidence(*mappings: tuple[str, list[str]]) -> Evidence:
    return Evidence(tuple(ShownMapping(source, tuple(targets)) for source, targets in mappings))


def test_the_shipped_template_is_short(shipped: Template, real_gguf: Path) -> None:
    real = load_vocabulary(open_source(real_gguf), 49152)
    rendered = render(Evidence(()), shipped)
    assert len(real.encode(rendered.system)) + len(real.encode(rendered.prompt)) < 350
    assert real.special.isdisjoint(real.encode(rendered.system))


def test_the_shipped_template_asks_for_the_answer_s_fields(shipped: Template) -> None:
    prompt = render(Evidence(()), shipped).prompt
    asked = [line.split(":")[0] for line in prompt.split("Answer with")[1].split("\n")[1:]]
    assert asked == list(Answer.model_fields)
    for category in get_args(Category):
        assert f"{category} (" in prompt
    assert '"unclear"' in prompt


def test_the_shipped_template_tells_what_the_signs_mean(shipped: Template) -> None:
    system = render(Evidence(()), shipped).system
    for sign in ("␣", "⟦…⟧", r"\\n", r"\\xe2", r"\u003c", "never an instruction"):
        assert sign in system


def test_the_digest_is_that_of_the_file(shipped: Template) -> None:
    assert shipped.digest == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert render(Evidence(()), shipped).digest == shipped.digest


def write(folder: Path, text: str | bytes) -> Path:
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "describe_head.jinja").write_bytes(data)
    return folder


def own(user: str, system: str = "S") -> str:
    return f"{{% block system %}}{system}{{% endblock %}}{{% block user %}}{user}{{% endblock %}}"


def test_a_user_s_own_template_overrides(tmp_path: Path, shipped: Template) -> None:
    write(tmp_path, own("{% for m in mappings %}{{ m.source }} {{ m.targets[0] }}\n{% endfor %}"))
    template = read_template(tmp_path)
    rendered = render(evidence(("</s>", ["{{ mappings }}"])), template)
    assert rendered.system == "S"
    assert rendered.prompt == r'"\u003c/s\u003e" "\u007b\u007b mappings \u007d\u007d"'
    assert rendered.digest == template.digest != shipped.digest
    assert template.name == str(tmp_path / "describe_head.jinja")


def test_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    text = own("{% for m in mappings %}\n{{ m.source }}\n{% endfor %}")
    plain = read_template(write(tmp_path, text))
    windows = read_template(write(tmp_path, b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()))
    assert plain.digest == windows.digest
    asked = evidence(("a", ["b"]), ("c", ["d"]))
    assert render(asked, plain) == render(asked, windows)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (own("{{ head }} {{ model }}"), "it uses head, model, and all there is is mappings"),
        (own("{{ mappings[0].layer }}"), "has no attribute 'layer'"),
        (own("\n\n{% for m in mappings %}"), "line 3: Encountered unknown tag 'endblock'"),
        (own("{{ mappings"), "line 1: "),
        (own("{{ 1 + 'a' }}"), "unsupported operand"),
        (own("{{ mappings | random }}"), "No filter named 'random'"),
        (own("{{ lipsum() }}"), "it uses lipsum"),
        (own("{{ mappings.__class__.__mro__ }}"), "__class__"),
        (own("{{ mappings[0].__class__.__mro__ }}"), "__class__"),
        (own("{{ mappings[0]['__init__'].__globals__ }}"), "__init__"),
        (own("{{ (mappings[0] | attr('__class__')).__mro__ }}"), "__class__"),
        (own("{{ mappings[0].source.__class__.__mro__ }}"), "__class__"),
        (own("{{ mappings[0].targets.__class__.__mro__ }}"), "__class__"),
        (own("{% for i in range(10 ** 9) %}{% endfor %}"), "Range too big"),
        (own("{% include 'other.jinja' %}"), "brings in another file"),
        ("{% extends 'other.jinja' %}" + own("a"), "brings in another file"),
        ("\nHello\n" + own("a"), "outside of the blocks system and user is never sent"),
        ("{% set a = 1 %}" + own("a"), "line 1: what is outside"),
        ("{% block system %}a{% endblock %}", "it has no block user"),
        ("", "it has no block system; it has no block user"),
        (own(" \n "), "its block user is empty"),
        (own("caf").encode() + b"\xe9", "it is not UTF-8"),
    ],
)
def test_what_cannot_be_rendered_is_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(PromptInvalid) as caught:
        read_template(write(tmp_path, text))
    message = str(caught.value)
    assert said in message
    assert str(tmp_path / "describe_head.jinja") in message
    assert "\n" not in message
    assert ".. Nothing" not in message


def test_what_fails_on_one_head_only_is_refused_too(tmp_path: Path) -> None:
    template = read_template(write(tmp_path, own("{{ mappings[9].source }}")))
    with pytest.raises(PromptInvalid, match="has no element 9"):
        render(evidence(("a", ["b"])), template)


def test_a_comment_may_stand_anywhere(tmp_path: Path) -> None:
    template = read_template(write(tmp_path, "{# why #}\n" + own("a {# b #}", system="")))
    assert render(Evidence(()), template).prompt == "a"
    assert render(Evidence(()), template).system == ""


@pytest.mark.parametrize("made", ["nothing", "a file", "an empty folder", "a folder of that name"])
def test_a_template_that_is_not_there_is_refused(tmp_path: Path, made: str) -> None:
    folder = tmp_path / "own"
    if made == "a file":
        folder.write_text("")
    elif made != "nothing":
        folder.mkdir()
    if made == "a folder of that name":
        (folder / "describe_head.jinja").mkdir()
    with pytest.raises(PromptInvalid, match=r"no such file|Is a directory") as caught:
        read_template(folder)
    assert str(folder / "describe_head.jinja") in str(caught.value)


def template_seen_by(*path: Path, cwd: Path) -> str:
    """The shipped template as another Python sees it, with those directories first on its path."""
    program = "from annotator.describe.prompt import read_template as r; print(r().name)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=cwd, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_editable_install_reads_the_repository_never_a_stale_copy(tmp_path: Path) -> None:
    stale = tmp_path / "site-packages" / "annotator" / "prompts"
    stale.mkdir(parents=True)
    write(stale, own("stale"))
    write(tmp_path, own("of another"))
    assert template_seen_by(tmp_path / "site-packages", REPOSITORY, cwd=tmp_path) == str(SHIPPED)


def test_an_installed_wheel_reads_its_own(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    code = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "annotator", site / "annotator", ignore=code)
    shutil.copytree(REPOSITORY / "prompts", site / "annotator" / "prompts")
    (site / "prompts").mkdir()  # of another distribution
    write(site / "prompts", own("of another"))
    inside = site / "annotator" / "prompts" / "describe_head.jinja"
    assert template_seen_by(site, cwd=tmp_path) == str(inside)
