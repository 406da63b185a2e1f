"""The time of a sending, with both real SDKs: through proxies and TLS, and from many threads."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from annotator.describe.outcome import Described, Failed, MaybePaid
from tests import PATIENCE
from tests.describe import raw_server
from tests.describe.loopback import SAID, Asked, Provider
from tests.describe.loopback import Answer as Sent
from tests.describe.sdks import Sdk
from tests.describe.test_unanswered import SHORT, SOON, check_unsent

HOST = "model.example"  # RFC 2606: nobody's
DRIPS = ("drip in headers", "drip")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_a_proxy_that_passes_requests_on(
    provider: Provider, sdk: Sdk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", provider.url)
    provider.answers(sdk.good, *(Sent(ends=one, body=b"") for one in DRIPS))
    assert sdk.reply(f"http://{HOST}").outcome == Described(**SAID)
    assert provider.asked[0].path.startswith(f"http://{HOST}/")
    for _ in DRIPS:
        reply = sdk.reply(f"http://{HOST}", SHORT)
        assert isinstance(reply.outcome, MaybePaid)
        assert reply.seconds < SOON


def test_tls_in_a_tunnel(
    provider: Provider, sdk: Sdk, monkeypatch: pytest.MonkeyPatch, pem: Path
) -> None:
    provider.answers(sdk.good, *(Sent(ends=one, body=b"") for one in DRIPS))
    with raw_server.talking(raw_server.tunnels(pem, provider.url)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy}")
        refused = sdk.reply(f"https://{HOST}").outcome  # for a certificate that nobody knows
        assert isinstance(refused, Failed)
        assert refused == Failed(refused.problem, fatal=True)
        assert "certificate in SSL_CERT_FILE" in refused.problem
        assert "through the proxy that HTTPS_PROXY names" in refused.problem
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        assert sdk.reply(f"https://{HOST}").outcome == Described(**SAID)
        for _ in DRIPS:
            reply = sdk.reply(f"https://{HOST}", SHORT)
            assert isinstance(reply.outcome, MaybePaid)
            assert reply.seconds < SOON


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw_server.certificate(tmp_path_factory.mktemp("pem"), HOST)


NO_TUNNEL = {
    "says nothing": raw_server.says_nothing,
    "drips": raw_server.drips_before_the_tunnel,
}


@pytest.mark.parametrize("talk", NO_TUNNEL.values(), ids=NO_TUNNEL.keys())
def test_a_proxy_without_a_tunnel_has_passed_nothing_on(
    sdk: Sdk, talk: raw_server.Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with raw_server.talking(talk) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy}")
        reply = sdk.reply(f"https://{HOST}", SHORT)
    check_unsent(reply, " through the proxy that HTTPS_PROXY names")
    assert reply.seconds < SOON


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required"])
def test_a_proxy_that_says_no_says_it_to_all(
    sdk: Sdk, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    with raw_server.talking(raw_server.answers(f"HTTP/1.1 {status}\r\n\r\n".encode())) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://ada:hunter2@{proxy}")
        for scheme in ("https", "http"):
            outcome = sdk.reply(f"{scheme}://{HOST}", SHORT).outcome
            assert isinstance(outcome, Failed)
            assert outcome.fatal
            assert status.partition(" ")[2] in outcome.problem
            assert "hunter2" not in outcome.problem
        assert (
            "through the proxy that ALL_PROXY names: "
            in sdk.reply(f"https://{HOST}").outcome.problem
        )


def test_64_threads_each_have_their_own_time_and_leave_nothing_behind(
    provider: Provider, sdk: Sdk
) -> None:
    ends = ("", *DRIPS, "reset", "closed", "silent", "", "cut")

    def answer(asked: Asked) -> Sent:
        words = asked.body["messages"][-1]["content"]
        return Sent(body=sdk.good.body, ends=words, after=0.0 if words else 0.5)

    provider.answer = answer
    process = psutil.Process()
    with sdk.opened(provider.url, timeout=6.0) as llm, ThreadPoolExecutor(64) as threads:
        sockets, before = process.num_fds(), threading.active_count()
        started = monotonic()
        requests = [llm.request("Be brief.", ends[n % 8], "t") for n in range(64)]
        outcomes = list(threads.map(lambda request: llm.send(request).outcome, requests))
        assert monotonic() - started < 2 * SOON
    assert Counter(outcome.kind for outcome in outcomes) == {"described": 16, "maybe_paid": 48}
    provider.closing.set()
    until = monotonic() + PATIENCE
    while process.num_fds() > sockets or threading.active_count() > before:
        assert monotonic() < until, (process.num_fds(), sockets, threading.enumerate())
        sleep(0.05)


def test_a_sending_waits_for_no_others_connection(provider: Provider, sdk: Sdk) -> None:
    """httpx2's own limit is a hundred connections: the time of the others would run out."""
    sent = 120
    together = threading.Barrier(sent)

    def answer(asked: Asked) -> Sent:
        together.wait(PATIENCE)
        return sdk.good

    provider.answer = answer
    with sdk.opened(provider.url) as llm, ThreadPoolExecutor(sent) as threads:
        request = llm.request("Be brief.", "Which?", "t")
        outcomes = list(threads.map(lambda _: llm.send(request).outcome, range(sent)))
    assert outcomes == [Described(**SAID)] * sent


def test_connections_are_kept_for_the_next_sending(provider: Provider, sdk: Sdk) -> None:
    provider.answer = lambda asked: sdk.good
    with sdk.opened(provider.url) as llm:
        request = llm.request("Be brief.", "Which?", "t")
        for _ in range(5):
            assert llm.send(request).outcome == Described(**SAID)
    assert provider.connections == 1


def test_a_count_ends_in_time_too(provider: Provider, sdk: Sdk) -> None:
    provider.answers(Sent(ends="drip", body=b""))
    with sdk.opened(provider.url, SHORT) as llm:
        started = monotonic()
        assert llm.count(llm.request("Be brief.", "Which?", "t")) is None
        assert monotonic() - started < SOON


def test_a_time_that_is_over_before_it_begins(provider: Provider, sdk: Sdk) -> None:
    outcome = sdk.reply(provider.url, 1e-9).outcome
    assert outcome == Failed("no connection, or one that broke: timed out", again=True)
    assert provider.asked == []
