"""`annotator describe` from end to end: a tiny catalog, the real SDK, a loopback server."""

from __future__ import annotations

import errno
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.catalog.descriptions import LEDGER as FILE
from annotator.cli import main
from annotator.describe.openai import OpenAi
from annotator.errors import HeadInvalid, LedgerUnusable, LlmFailed, LlmInvalid, SettingInvalid
from annotator.ledger.attempt_results import AttemptResult
from annotator.ledger.ledger import Ledger
from annotator.ledger.spill import Spill
from annotator.pipeline import progress
from annotator.pipeline.describe import describe_heads
from tests import PATIENCE
from tests.commands import error_of
from tests.describe.loopback import Answer as Sent
from tests.describe.loopback import Asked, Provider, completion, openai_error

SAID = {"reasoning": "r", "inputs": "i", "pattern": "p", "category": "general"}
GOOD = Sent(body=completion(json.dumps(SAID)))
HEADS = 12


@pytest.fixture(autouse=True)
def willing(provider: Provider) -> None:
    provider.answer = lambda asked: GOOD


@pytest.fixture
def llm(provider: Provider) -> Iterator[OpenAi]:
    one = OpenAi("tiny", provider.url + "/v1", "sk-0123456789abcdef")
    yield one
    one.close()


def test_a_second_run_sends_nothing(catalog: Path, provider: Provider, llm: OpenAi) -> None:
    told = describe_heads(catalog, llm, progress=False)
    assert (told.heads, told.sent, told.before) == (HEADS, HEADS, 0)
    assert told.kinds == {"described": HEADS}
    assert len(provider.asked) == HEADS
    again = describe_heads(catalog, llm, progress=False)
    assert (again.sent, again.before) == (0, HEADS)
    assert len(provider.asked) == HEADS
    with Ledger(catalog / FILE) as ledger:
        assert len(ledger.described()) == HEADS


def test_what_failed_is_asked_again_and_nothing_else(
    catalog: Path, provider: Provider, llm: OpenAi
) -> None:
    def some_fail(asked: Asked) -> Sent:
        failing = len(provider.asked) % 3 == 0
        return Sent(400, openai_error("too long", "context_length_exceeded")) if failing else GOOD

    provider.answer = some_fail
    told = describe_heads(catalog, llm, progress=False, concurrency=1)
    assert told.kinds == {"described": 8}
    assert told.unanswered == 4
    provider.answer = lambda asked: GOOD
    again = describe_heads(catalog, llm, progress=False)
    assert (again.sent, again.before) == (4, 8)
    assert again.kinds == {"described": HEADS}
    assert again.unanswered == 0


def test_heads_without_an_answer_are_counted_and_the_exit_code_says_so(
    catalog: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.answer = lambda asked: Sent(400, openai_error("too long", "context_length_exceeded"))
    llm = f"openai:tiny@{provider.url}/v1"
    assert main(["describe", str(catalog), "--llm", llm, "--heads", "L1H2,L0H0"]) == 1
    said = capsys.readouterr()
    assert "2 heads: no answer. 2 asked now" in said.out
    assert "2 heads have no answer" in said.err
    assert "HTTP 400: too long (2). Once that is mended or over, run the same" in said.err


def test_where_no_head_got_a_description_the_exit_code_says_so_and_why(
    catalog: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    declined = Sent(body=completion(None, refusal="I would rather not."))
    provider.answer = lambda asked: declined
    llm = f"openai:tiny@{provider.url}/v1"
    assert main(["describe", str(catalog), "--llm", llm, "--heads", "L1H2,L0H0"]) == 1
    said = capsys.readouterr()
    assert "2 heads: 2 refused" in said.out
    assert f"no head of 2 got a description of {llm}: I would rather not. (2)" in said.err
    assert main(["describe", str(catalog), "--llm", llm, "--heads", "L1H2,L0H0"]) == 1, "as before"
    assert len(provider.asked) == 2


def test_where_some_got_none_it_says_how_many_and_why(
    catalog: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    unclear = Sent(body=completion(json.dumps({**SAID, "pattern": "unclear"})))
    given = iter([GOOD, unclear, Sent(body=completion("", finish="content_filter"))])
    provider.answer = lambda asked: next(given)
    llm = f"openai:tiny@{provider.url}/v1"
    heads = "L1H2,L0H0,L0H1"
    assert main(["describe", str(catalog), "--llm", llm, "--heads", heads]) == 0
    said = capsys.readouterr()
    assert "1 head got no description: the provider's content filter (1)." in said.out


def test_what_may_have_been_paid_is_said_and_asked_once_more_or_left_out(
    catalog: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.answer = lambda asked: Sent(504, openai_error("upstream is at it", "timeout"))
    llm = f"openai:tiny@{provider.url}/v1"
    words = ["describe", str(catalog), "--llm", llm, "--heads", "L1H2,L0H0", "--concurrency", "1"]
    assert main(words) == 1
    said = capsys.readouterr()
    assert "2 heads may have been paid for without an answer; a run without" in said.out
    assert len(provider.asked) == 4, "each once more"
    assert main([*words, "--leave-unsure"]) == 0, "as it was told to"
    said = capsys.readouterr()
    assert "2 heads may have been paid for without an answer: left out." in said.err
    assert len(provider.asked) == 4
    assert main(words) == 1
    assert "without an answer: asked once more; --leave-unsure" in capsys.readouterr().err
    assert len(provider.asked) == 6
    provider.answer = lambda asked: GOOD
    assert main(words) == 0
    assert "may have been paid" not in capsys.readouterr().out


def test_a_run_that_has_no_room_for_answers_sends_nothing(
    catalog: Path, provider: Provider, llm: OpenAi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("annotator.ledger.spill._write", full)
    with pytest.raises(LedgerUnusable, match="no 8 MB can be kept free beside it"):
        describe_heads(catalog, llm, progress=False)
    assert provider.asked == []
    with pytest.raises(SettingInvalid, match="reserve-mb"):
        describe_heads(catalog, llm, reserve_mb=0.0, progress=False)


def test_a_run_renews_its_leases_while_a_request_is_under_way(
    catalog: Path, provider: Provider, llm: OpenAi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotator.ledger.claims.RENEW_SECONDS", 0.02)

    def slow(asked: Asked) -> Sent:
        with Ledger(catalog / FILE) as other, other.writing() as connection:
            connection.exec_driver_sql("UPDATE claims SET until = 1")
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with Ledger(catalog / FILE) as other, other.reading() as connection:
                until = connection.exec_driver_sql("SELECT until FROM claims").scalar_one()
            if until > time.time():
                return GOOD
        raise AssertionError("nobody renewed it")

    provider.answer = slow
    told = describe_heads(catalog, llm, heads=["L0H0"], progress=False)
    assert told.kinds == {"described": 1}


def test_answers_that_are_of_another_ledger_are_named(
    catalog: Path, llm: OpenAi, capsys: pytest.CaptureFixture[str]
) -> None:
    spill = Spill(catalog / FILE, "h:b:1:99999999:1:1", 10_000)
    spill.put("another", 1, AttemptResult("described", {}))
    spill.close()
    os.utime(spill.file, (0, 0))
    describe_heads(catalog, llm, heads=["L0H0"], progress=False)
    assert f"{spill.file} has answers that are not of this ledger" in capsys.readouterr().err
    assert spill.file.exists()


def test_a_fault_of_any_kind_in_a_worker_ends_the_run(
    catalog: Path, llm: OpenAi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaves(*_: object, **__: object) -> None:
        raise SystemExit(3)

    monkeypatch.setattr(llm, "send", leaves)
    with pytest.raises(SystemExit):
        describe_heads(catalog, llm, progress=False)


def test_what_another_process_is_at_is_not_asked_twice(
    catalog: Path, provider: Provider, llm: OpenAi
) -> None:
    from annotator.catalog.read import open_catalog
    from annotator.describe.prompt import read_template
    from annotator.pipeline.prompt import request_of

    request = request_of(llm, open_catalog(catalog).head("L1H2"), read_template())
    with Ledger(catalog / FILE) as other:
        assert other.claim(request.key)
        told = describe_heads(catalog, llm, heads=["L1H2", "L0H0"], progress=False)
        assert (told.sent, told.unanswered) == (1, 1)
        other.release(request.key)
    assert describe_heads(catalog, llm, heads=["L1H2"], progress=False).sent == 1


def test_a_wrong_key_ends_the_run_at_once_and_keeps_what_was_recorded(
    catalog: Path, provider: Provider, llm: OpenAi
) -> None:
    def then_wrong(asked: Asked) -> Sent:
        wrong = Sent(401, openai_error("wrong key", "invalid_api_key"))
        return GOOD if len(provider.asked) <= 5 else wrong

    provider.answer = then_wrong
    with pytest.raises(LlmFailed):
        describe_heads(catalog, llm, progress=False, concurrency=1)
    assert len(provider.asked) == 6
    provider.answer = lambda asked: GOOD
    assert describe_heads(catalog, llm, progress=False).before == 5


def test_heads_by_name_by_signature_and_the_most_telling(catalog: Path, llm: OpenAi) -> None:
    assert describe_heads(catalog, llm, heads=["L1H2", "L0H0", "L1H2"], progress=False).heads == 2
    assert describe_heads(catalog, llm, top=3, by="copy", progress=False).heads == 3
    assert describe_heads(catalog, llm, top=2, progress=False).heads == 2
    assert describe_heads(catalog, llm, heads=[], progress=False).heads == 0
    for named in ("L9H0", ""):
        with pytest.raises(HeadInvalid):
            describe_heads(catalog, llm, heads=[named], progress=False)
    for by in ("telling", "copy"):
        with pytest.raises(SettingInvalid):
            describe_heads(catalog, llm, top=-1, by=by, progress=False)
    with pytest.raises(SettingInvalid):
        describe_heads(catalog, llm, concurrency=0, progress=False)


def test_a_head_is_asked_the_same_however_it_was_chosen(catalog: Path, llm: OpenAi) -> None:
    assert describe_heads(catalog, llm, progress=False).sent == HEADS
    for chosen in ({"heads": ["L1H2", "L0H0"]}, {"top": 3}, {"top": 3, "by": "copy"}):
        told = describe_heads(catalog, llm, progress=False, **chosen)
        assert (told.before, told.sent) == (told.heads, 0)


def test_an_answers_limit_is_part_of_the_request(catalog: Path, provider: Provider) -> None:
    llm = f"openai:tiny@{provider.url}/v1"
    for limit in (None, 50, 5000):
        told = describe_heads(catalog, llm, heads=["L0H0"], max_tokens=limit, progress=False)
        assert told.sent == 1
    assert [asked.body["max_tokens"] for asked in provider.asked] == [1024, 50, 5000]


def test_a_timeout_is_that_of_the_whole_answer(catalog: Path, provider: Provider) -> None:
    llm = f"openai:tiny@{provider.url}/v1"
    drip = Sent(body=b"", ends="drip")
    provider.answers(drip, drip, GOOD)
    describe_heads(catalog, llm, heads=["L0H0"], timeout=1.0, progress=False)
    describe_heads(catalog, llm, heads=["L1H0"], progress=False)
    timeouts = [asked.headers["x-stainless-read-timeout"] for asked in provider.asked]
    assert timeouts == ["1.0", "1.0", "300.0"]


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "inf", "1e300"])
def test_a_timeout_that_is_none(
    catalog: Path, timeout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("describe", catalog, "--all", "--timeout", timeout, "--llm")
    said = error_of(capsys, *command, "openai:tiny@http://127.0.0.1:1")
    assert "must be a number of seconds above 0 and up to 1,000,000" in said
    with pytest.raises(SettingInvalid, match="timeout"):
        describe_heads(catalog, "rules", timeout=float(timeout), progress=False)


def test_a_timeout_is_a_setting_of_every_provider_or_of_no_matter(
    catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-0123456789abcdef")
    for llm in ("openai:m@http://127.0.0.1:1", "anthropic:m", "local:", "rules"):
        options = {"heads": [], "timeout": 2.5, "progress": False}
        assert describe_heads(catalog, llm, **options).heads == 0


def test_the_bar_shows_the_true_rate_tokens_and_outcomes_at_80_columns(
    catalog: Path,
    provider: Provider,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = iter(range(0, 10_000, 3))
    monkeypatch.setattr(progress, "DELAY", 0.0)
    monkeypatch.setattr("tqdm.std.time", lambda: float(next(moments)))
    monkeypatch.setenv("COLUMNS", "80")
    describe_heads(catalog, f"openai:tiny@{provider.url}/v1", concurrency=1)
    shown = [line.strip() for line in re.split("[\r\n]", capsys.readouterr().err) if line.strip()]
    last = shown[-1]
    assert last.startswith(f"Describing: {HEADS}/{HEADS} [")
    assert "3.9k+540 tokens, 12 described" in last
    assert len(last) <= 80
    seconds = re.search(r"\[(\d+):(\d+)<", last)
    rate = re.search(r"([\d.]+)s/head", last)
    assert seconds is not None
    assert rate is not None
    elapsed = 60 * int(seconds[1]) + int(seconds[2])
    assert float(rate[1]) == pytest.approx(elapsed / HEADS, rel=0.05)


def test_rules_describe_every_head_without_a_model(catalog: Path) -> None:
    told = describe_heads(catalog, "rules", progress=False)
    assert sum(told.kinds.values()) == HEADS
    assert set(told.kinds) <= {"described", "unclear"}
    assert describe_heads(catalog, "rules", progress=False).sent == 0


@pytest.mark.parametrize(
    "llm", ["gpt", "openai:", "openai:@http://x", "mistral:x", "", "anthropic:m@http://u:pw@x"]
)
def test_a_language_model_that_is_none(llm: str, catalog: Path) -> None:
    with pytest.raises(LlmInvalid, match="--llm") as refused:
        describe_heads(catalog, llm, progress=False)
    assert "pw" not in str(refused.value)


def test_the_commands(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", str(catalog), "--llm", "rules", "--all"]) == 0
    assert f"{HEADS} heads by rules (baseline, no language model): " in capsys.readouterr().out
    assert main(["describe", str(catalog), "--llm", "rules", "--heads", ""]) == 1
    assert "L23H4" in capsys.readouterr().err
    assert main(["describe", str(catalog), "--llm", "rules", "--all", "--by", "copy"]) == 2
    assert "--by is what --top goes by" in capsys.readouterr().err
    assert main(["describe", str(catalog), "--llm", "rules"]) == 2
    assert "one of --heads, --top and --all" in capsys.readouterr().err
    assert main(["prompts", "show", "L1H2", str(catalog)]) == 0
    shown = capsys.readouterr().out
    assert "[system]" in shown
    assert "→" in shown
    assert main(["describe", str(catalog), "--llm", "local:/no/such.gguf", "--top", "1"]) == 1
    assert "there is no such file" in capsys.readouterr().err
