"""Proxies and certificates that none can use: one sentence, before anything is begun."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from annotator.catalog.descriptions import LEDGER
from annotator.errors import EnvironmentInvalid
from annotator.http_environment import check_environment, proxy_variable
from tests.commands import only_error, run

SERVER = "https://model.example/v1"  # RFC 2606: nobody's
PASSWORD = "hunter2"
USER = f"ada:{PASSWORD}@"
PROXIES = {
    "socks": (f"socks5://{USER}proxy.example:1080", "SOCKS proxy", "pip install socksio"),
    "socks, resolved there": (f"socks5h://{USER}proxy.example:1", "SOCKS", "pip install socksio"),
    "unknown kind": (
        f"gopher://{USER}proxy.example",
        "unknown kind (gopher://)",
        "http://HOST:PORT",
    ),
    "half a password for a kind": (f"ada:{PASSWORD}://x@p:80", "unknown kind", "http://HOST"),
    "no port": (f"http://{USER}proxy.example:many", "no address", "http://HOST:PORT"),
    "half a password": (
        f"http://ada:{PASSWORD}/x@proxy.example:1",
        "no address",
        "http://HOST:PORT",
    ),
    "no host": ("http://", "no address", "http://HOST:PORT"),
}
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY", "http_proxy"])
@pytest.mark.parametrize("what", PROXIES)
def test_a_proxy_that_none_can_use(
    monkeypatch: pytest.MonkeyPatch, what: str, variable: str
) -> None:
    value, reason, remedy = PROXIES[what]
    monkeypatch.setenv(variable, value)
    with pytest.raises(EnvironmentInvalid) as caught:
        check_environment(SERVER)
    said = str(caught.value)
    assert said.startswith(f"{variable} names ")
    assert reason in said
    assert remedy in said
    assert f"unset {variable}" in said
    assert PASSWORD not in said
    check_environment("http://127.0.0.1:8080")  # to this machine no proxy leads
    monkeypatch.setenv("NO_PROXY", "*")
    check_environment(SERVER)


@pytest.mark.parametrize(
    "value", ["http://proxy.example:3128", "proxy.example", f"https://{USER}p:1"]
)
def test_a_proxy_that_can_be_used(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    check_environment(SERVER)
    assert proxy_variable(SERVER) == "HTTPS_PROXY"
    assert proxy_variable("http://model.example") is None
    monkeypatch.setenv("ALL_PROXY", value)
    assert proxy_variable("http://model.example") == "ALL_PROXY"
    assert proxy_variable("http://localhost") is None
    monkeypatch.setenv("NO_PROXY", "model.example")
    assert proxy_variable(SERVER) is None


def test_certificates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    empty, good = tmp_path / "empty.pem", tmp_path / "good.pem"
    empty.write_text("none here")
    trustme.CA().cert_pem.write_to_path(str(good))
    for name, value, reason in (
        ("SSL_CERT_FILE", tmp_path / "gone.pem", "No such file"),
        ("SSL_CERT_FILE", tmp_path, "cannot be read"),
        ("SSL_CERT_FILE", empty, "without certificates"),
        ("SSL_CERT_DIR", tmp_path / "gone", "not there"),
    ):
        with monkeypatch.context() as context:
            context.setenv(name, str(value))
            with pytest.raises(EnvironmentInvalid, match=f"^{name} names .*{reason}") as caught:
                check_environment(SERVER)
            assert str(value) in str(caught.value)
            check_environment("http://model.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(good))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "gone"))  # which is then not looked at
    check_environment(SERVER)


CASES = {
    "ALL_PROXY": PROXIES["socks"][0],
    "HTTPS_PROXY": PROXIES["unknown kind"][0],
    "SSL_CERT_FILE": "/no/such/authority.pem",
}


@pytest.mark.parametrize("variable", CASES)
def test_every_command_that_leaves_this_machine(ruled: Path, tmp_path: Path, variable: str) -> None:
    catalog = shutil.copytree(ruled, tmp_path / "catalog")
    environment = {variable: CASES[variable], "KEY": "sk-0123456789", "HF_TOKEN": "hf_none"}
    for command in (
        ("map", "owner/name", "--out", tmp_path / "mapped"),
        ("describe", catalog, "--all", "--llm", f"openai:tiny@{SERVER}", "--key-env", "KEY"),
        ("describe", catalog, "--all", "--llm", "anthropic:tiny", "--key-env", "KEY"),
        ("judge", "push", catalog, "--rater", "ada", "--url", SERVER, "--token", "x"),
        ("export", catalog, "--to", "hf", "--push", "owner/name"),
    ):
        done = run(*command, **environment)
        assert done.returncode == 1, command
        said = only_error(done.stderr)
        assert said.startswith(f"{variable} names "), said
        assert said.count("\n") == 1
        assert PASSWORD not in said
    with closing(sqlite3.connect(catalog / LEDGER)) as database:
        count = database.execute("SELECT COUNT(*) FROM attempts").fetchone()
    assert count == (12,), "those of the rules"
    assert not (tmp_path / "mapped").exists()
