"""A key goes where it was meant to go, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotator.describe.anthropic import Anthropic
from annotator.describe.api_keys import KeyChoice, KeyVariable
from annotator.describe.openai import OpenAi
from annotator.describe.providers import open_llm
from annotator.errors import (
    BaseUrlIgnored,
    KeyElsewhere,
    KeyMissing,
    KeyReadable,
    LlmInvalid,
    SettingInvalid,
)
from annotator.pipeline.describe import describe_heads
from tests.commands import error_of, only_error, run
from tests.describe.loopback import Answer, Provider, completion, described

SECRET = "sk-of-the-environment-0123456789"
NAMED = "sk-of-another-server-0123456789"
ELSEWHERE = "https://example.org/v1"
ENVIRONMENT = {
    "OPENAI_API_KEY": SECRET,
    "OPENAI_ADMIN_KEY": SECRET,
    "OPENAI_ORG_ID": SECRET,
    "OPENAI_PROJECT_ID": SECRET,
    "OPENAI_CUSTOM_HEADERS": f"X-Tenant: {SECRET}\nX-Other:{SECRET}",
    "ANTHROPIC_API_KEY": SECRET,
    "ANTHROPIC_AUTH_TOKEN": SECRET,
    "ANTHROPIC_CUSTOM_HEADERS": f"X-Tenant: {SECRET}",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KEY_OF_ANOTHER", NAMED)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.mark.parametrize("key", [None, KeyVariable("KEY_OF_ANOTHER")])
@pytest.mark.parametrize("kind", [OpenAi, Anthropic])
def test_nothing_of_the_environment_goes_to_another_server(
    provider: Provider, kind: type[OpenAi] | type[Anthropic], key: KeyVariable | None
) -> None:
    provider.answer = lambda asked: Answer(body=completion(described()))
    llm = kind("tiny", base_url=f"{provider.url}/v1", key=key)
    llm.send(llm.request("s", "p", "t"))
    llm.close()
    [asked] = provider.asked
    sent = json.dumps({**asked.headers})
    assert SECRET not in sent
    assert (NAMED in sent) == (key is not None)
    assert "x-tenant" not in asked.headers


@pytest.mark.parametrize("header", ["Authorization", "X-Api-Key"])
@pytest.mark.parametrize("kind", [OpenAi, Anthropic])
def test_a_custom_header_takes_the_place_of_no_key(
    provider: Provider,
    kind: type[OpenAi] | type[Anthropic],
    header: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("OPENAI_CUSTOM_HEADERS", "ANTHROPIC_CUSTOM_HEADERS"):
        monkeypatch.setenv(name, f"{header}: {SECRET}")
    provider.answer = lambda asked: Answer(body=completion(described()))
    llm = kind("tiny", base_url=f"{provider.url}/v1", key=KeyVariable("KEY_OF_ANOTHER"))
    llm.send(llm.request("s", "p", "t"))
    llm.close()
    [asked] = provider.asked
    sent = json.dumps({**asked.headers})
    assert SECRET not in sent
    assert NAMED in sent


def test_a_key_in_place_of_a_variables_name_is_not_repeated(catalog: Path) -> None:
    with pytest.raises(SettingInvalid, match="not the key itself") as caught:
        describe_heads(catalog, "openai:m", key_env="sk-0123456789", progress=False)
    assert "0123456789" not in str(caught.value)


def test_at_its_own_address_the_environment_is_the_providers() -> None:
    for own in ("openai:m", "openai:m@https://api.openai.com/v1", "anthropic:m"):
        llm = open_llm(own, KeyChoice(), Path)
        assert SECRET in json.dumps({**llm._sdk().auth_headers})
        llm.close()


@pytest.mark.parametrize("kind", [OpenAi, Anthropic])
def test_another_server_needs_a_key_that_was_named_for_it(
    kind: type[OpenAi] | type[Anthropic], tmp_path: Path
) -> None:
    with pytest.raises(KeyElsewhere, match="--key-file FILE or --key-env NAME"):
        kind("m", base_url=ELSEWHERE)
    with pytest.raises(KeyMissing, match="set NOT_THERE"):
        kind("m", base_url=ELSEWHERE, key=KeyVariable("NOT_THERE"))
    file = tmp_path / "key"
    file.write_text(NAMED)
    file.chmod(0o600)
    for key in (NAMED, file, KeyVariable("KEY_OF_ANOTHER")):
        kind("m", base_url=ELSEWHERE, key=key).close()


@pytest.mark.parametrize("host", ["example.org", "192.168.1.5:8000", "localhost.example.org"])
@pytest.mark.parametrize("kind", [OpenAi, Anthropic])
def test_no_key_goes_over_http_to_another_machine_unless_allowed(
    kind: type[OpenAi] | type[Anthropic], host: str
) -> None:
    with pytest.raises(KeyReadable, match="--allow-http"):
        kind("m", base_url=f"http://{host}/v1", key=NAMED)
    kind("m", base_url=f"http://{host}/v1", key=NAMED, allow_http=True).close()
    kind("m", base_url=f"https://{host}/v1", key=NAMED).close()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1"),
        ("https://example.org/v1/", "https://example.org/v1"),
        ("https://u:secret@example.org/v1", "example.org"),
    ],
)
def test_an_address_in_the_environment_is_not_passed_over_in_silence(
    catalog: Path, monkeypatch: pytest.MonkeyPatch, address: str, shown: str
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    with pytest.raises(BaseUrlIgnored) as caught:
        describe_heads(catalog, "openai:m", progress=False)
    assert f"--llm openai:m@{shown} --key-env OPENAI_API_KEY" in str(caught.value)
    assert "secret" not in str(caught.value)
    open_llm("openai:m@https://api.openai.com/v1", KeyChoice(), Path).close()
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.openai.com/v1/")
    open_llm("openai:m", KeyChoice(), Path).close()


def test_a_key_is_named_once(catalog: Path, tmp_path: Path) -> None:
    for file, name in ((tmp_path / "key", "KEY_OF_ANOTHER"), (None, " ")):
        with pytest.raises(SettingInvalid, match="without --key-file beside it"):
            describe_heads(catalog, "openai:m", key_file=file, key_env=name, progress=False)


def test_the_commands(
    catalog: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.answer = lambda asked: Answer(body=completion(described()))
    llm = f"openai:tiny@{provider.url}/v1"
    done = run(
        *("describe", catalog, "--llm", llm, "--heads", "L0H0", "--key-env", "KEY_OF_ANOTHER")
    )
    assert done.returncode == 0, done.stderr
    assert [asked.key for asked in provider.asked] == [NAMED]
    said = error_of(
        capsys, "describe", catalog, "--llm", f"openai:tiny@{ELSEWHERE}", "--heads", "L0H0"
    )
    assert "name its key with --key-file FILE or --key-env NAME" in said
    there = ("--llm", "openai:tiny@http://example.org/v1", "--key-env", "KEY_OF_ANOTHER")
    assert "--allow-http" in error_of(capsys, "prompts", "show", "L0H0", catalog, *there)
    assert "--allow-http" in only_error(run("prompts", "show", "L0H0", catalog, *there).stderr)


def test_an_address_that_is_none_is_said_before_any_key_is_looked_for() -> None:
    with pytest.raises(LlmInvalid, match="BASE_URL"):
        OpenAi("m", "ftp://example.org")
