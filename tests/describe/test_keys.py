"""Where keys come from, and which servers need none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotator.describe.anthropic import Anthropic
from annotator.describe.api_keys import KeyVariable, find_key
from annotator.describe.openai import OpenAi
from annotator.errors import KeyElsewhere, KeyInvalid, KeyMissing, LlmInvalid
from annotator.http import is_local
from annotator.pipeline.describe import describe_heads
from tests.commands import run
from tests.describe import loopback
from tests.describe.loopback import Answer, Provider, completion

KEY = "sk-0123456789abcdefghijklmnop"
VARIABLE = "OPENAI_API_KEY"


@pytest.fixture(autouse=True)
def no_keys_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (VARIABLE, "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def key_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    file = folder / "key"
    file.write_bytes(content)
    file.chmod(mode)
    return file


def test_the_environment_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f" {KEY}\n")
    assert find_key("openai:m", KeyVariable(VARIABLE)) == KEY


@pytest.mark.parametrize("content", [b"%s", b"\n \n  %s\t\r\nmore\n", b"\xef\xbb\xbf%s\n"])
def test_a_file_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setenv(VARIABLE, "another")
    assert find_key("m", key_file(tmp_path, content % KEY.encode())) == KEY
    assert find_key("m", "given") == "given"


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_file_that_others_may_read_is_warned_about(tmp_path: Path, mode: int) -> None:
    file = key_file(tmp_path, KEY.encode(), mode)
    with pytest.warns(UserWarning, match="chmod 600") as warned:
        assert find_key("m", file) == KEY
    assert KEY not in str(warned[0].message)


@pytest.mark.parametrize("provider", [OpenAi, Anthropic])
def test_no_key_is_said_with_what_to_do(provider: type[OpenAi] | type[Anthropic]) -> None:
    with pytest.raises(KeyMissing, match=r"needs a key: set (OPENAI|ANTHROPIC)_API_KEY"):
        provider("m")
    with pytest.raises(KeyElsewhere, match="--key-env NAME"):
        provider("m", base_url="https://example.org/v1")
    with pytest.raises(KeyInvalid, match="it is empty"):
        provider("m", key=" ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b" \n\n", "empty"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"sk-0123456789 abcdefghijklmnop", "blank"),
        ("sk-0123456789–abcdefghijklmnop".encode(), "header"),
    ],
)
def test_a_file_without_a_key_is_named_and_not_quoted(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    file = key_file(tmp_path, content)
    with pytest.raises(KeyInvalid, match=reason) as caught:
        OpenAi("m", key=file)
    assert str(file) in str(caught.value)
    assert "sk-" not in str(caught.value) + repr(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyInvalid, match="No such file"):
        OpenAi("m", key=tmp_path / "nothing")


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:8080/v1", True),
        ("http://127.0.0.1/v1", True),
        ("http://[::1]:11434/v1", True),
        ("http://api.localhost", True),
        ("http://192.168.1.5:11434/v1", False),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org", False),
    ],
)
def test_what_is_this_machine(url: str, local: bool) -> None:
    assert is_local(url) is local
    if local:
        assert OpenAi("m", url).name == f"openai:m@{url}"


def test_a_local_server_is_not_shown_the_environments_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, KEY)
    with loopback.running() as provider:
        provider.answers(Answer(body=completion("")), Answer(body=completion("")))
        for key in (None, "mine"):
            llm = OpenAi("m", provider.url, key)
            llm.send(llm.request("", "", ""))
            llm.close()
    assert [asked.key for asked in provider.asked] == ["none", "mine"]


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8080",
        "ftp://u:secret@example.org",
        "http://",
        "http://a:b",
        "http://u:secret@a/v1",
        "https://a/v1?key=secret",
        "https://a/v1#secret",
    ],
)
def test_an_address_that_is_none_is_refused_and_its_password_not_repeated(url: str) -> None:
    with pytest.raises(LlmInvalid, match="BASE_URL") as caught:
        OpenAi("m", url, KEY)
    assert "secret" not in str(caught.value) + repr(caught.value)


def test_a_key_file_by_the_home_sign_and_a_plain_warning(
    catalog: Path, provider: Provider, tmp_path: Path
) -> None:
    """The installed command; in Python a text is a path too, and never sent as the key."""
    key_file(tmp_path, KEY.encode(), 0o644)
    said = {"reasoning": "r", "inputs": "i", "pattern": "p", "category": "general"}
    provider.answer = lambda asked: Answer(body=completion(json.dumps(said)))
    llm = f"openai:tiny@{provider.url}/v1"
    done = run(
        *("describe", catalog, "--llm", llm, "--heads", "L0H0", "--key-file", "~/key"),
        HOME=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert f"Warning: others may read the key file {tmp_path}/key" in done.stderr
    assert ".py" not in done.stderr
    (tmp_path / "key").chmod(0o600)
    describe_heads(catalog, llm, heads=["L0H1"], key_file=str(tmp_path / "key"), progress=False)
    assert [asked.key for asked in provider.asked] == [KEY, KEY]
