"""Two who cannot see each other, containers of one hostname or machines: only the lease decides.

Nobody is taken for dead while the lease lasts, an answer that comes after it is kept, and nothing
that happens between them is an error.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.ledger import process_owner
from annotator.ledger.attempt_results import LOST
from annotator.ledger.claims import LEASE_SECONDS, RENEW_SECONDS, ClaimLost
from annotator.ledger.ledger import Ledger
from tests.ledger.others import ANSWER, HEAD, KEY, LLM, Other, ask, key_of, rows

NAMESPACE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc")
PERMITTED = not subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode
APART = {
    "namespace": NAMESPACE,  # as two containers, which may have one hostname
    "boot": (),
}
# Where namespaces are not permitted, and for another machine: what the process reads of its own.
ELSEWHERE = """
from annotator.ledger import process_owner
if given["boot"]:
    class Boot:
        def read_text(self, encoding):
            return given["boot"]
    process_owner._BOOT = Boot()
ledger = Ledger(where)
"""
SENDING = (
    ELSEWHERE
    + """
ledger.add("rules", [(HeadId(0, 0), given["key"], {})])
assert ledger.claim(given["key"])
attempt = ledger.begin(given["key"], {})
say([ledger.owner, attempt])
wait()
ledger.renew()
say("renewed")
wait()
ledger.record(attempt, AttemptResult("described", {"late": True}))
say("recorded")
wait()
"""
)


@pytest.fixture(params=["namespace", "boot"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Other]:
    """A process that is at a request, where this one cannot see it."""
    if request.param == "namespace" and not PERMITTED:
        pytest.skip("no PID namespaces here")
    given = {"key": KEY, "boot": "another" if request.param == "boot" else ""}
    with Other(SENDING, tmp_path / "ledger.db", given, APART[request.param]) as process:
        yield process


def later(patch: pytest.MonkeyPatch, seconds: float) -> None:
    """Another machine's clock, or the same one after so long."""
    now = time.time
    patch.setattr("annotator.ledger.process_owner.time.time", lambda: now() + seconds)


def test_they_have_one_hostname_and_are_told_apart(other: Other, ledger: Ledger) -> None:
    owner, _ = other.hear()
    mine, theirs = ledger.owner.rsplit(":", 3)[0], owner.rsplit(":", 3)[0]
    assert mine.split(":")[0] == theirs.split(":")[0]
    assert mine != theirs


def test_within_the_lease_it_is_left_to_the_other(
    other: Other, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.hear()
    assert (ledger.sweep(), ledger.claim(KEY)) == (0, False)
    with pytest.raises(ClaimLost):
        ledger.begin(KEY, {})
    later(monkeypatch, LEASE_SECONDS - 2 * RENEW_SECONDS)  # clocks may differ by so much
    assert (ledger.sweep(), ledger.claim(KEY)) == (0, False)


def test_a_lease_is_renewed(other: Other, ledger: Ledger) -> None:
    other.hear()
    rows(Path(ledger.where), "UPDATE claims SET until = 0")
    other.go_on()
    assert other.hear() == "renewed"
    assert (ledger.sweep(), ledger.claim(KEY)) == (0, False)


def test_after_the_lease_it_is_taken_up_and_a_late_answer_is_kept_and_stands(
    other: Other, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.hear()
    with monkeypatch.context() as patch:
        later(patch, LEASE_SECONDS + 1)
        assert (ledger.sweep(), ledger.claim(KEY)) == (1, True)
    mine = ledger.begin(KEY, {})
    for said in ("renewed", "recorded"):
        other.go_on()
        assert other.hear() == said
    assert ledger.answers([KEY])[KEY].content == {"late": True}
    ledger.record(mine, ANSWER)
    assert ledger.answers([KEY])[KEY].content == {"late": True}, "what was seen stays"
    kinds = [[came.kind for came in attempt.came] for attempt in ledger.attempts(KEY)]
    assert kinds == [[LOST, "described"], ["described"]]
    assert ledger.count(LOST) == 1
    other.end()


def test_one_whose_claim_was_taken_answered_and_let_go_sends_no_more(
    other: Other, ledger: Ledger
) -> None:
    """As after a laptop's sleep: there is no claim any more, but it is not its own either."""
    other.hear()
    ledger.add(LLM, [(HEAD, key_of(5), {})])
    assert ledger.claim(key_of(5))
    rows(Path(ledger.where), "DELETE FROM claims")
    with pytest.raises(ClaimLost):
        ledger.begin(key_of(5), {})


def test_a_machine_that_was_started_again_is_given_its_time(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its processes are gone, but that cannot be told from another machine of that name."""
    ask(ledger, KEY, None)
    assert ledger.claim(KEY)
    boot = tmp_path / "boot"
    boot.write_text("after\n")
    monkeypatch.setattr(process_owner, "_BOOT", boot)
    with Ledger(ledger.where) as after:
        assert (after.sweep(), after.claim(KEY)) == (0, False)
        later(monkeypatch, LEASE_SECONDS + 1)
        assert (after.sweep(), after.claim(KEY)) == (1, True)


def test_where_the_system_tells_of_neither_the_hostname_decides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process_owner, "_BOOT", tmp_path / "absent")
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.add(LLM, [(HEAD, KEY, {})])
        assert ledger.claim(KEY)
        assert ledger.owner.split(":")[1:3] == ["", ""]
        with Ledger(ledger.where) as second:
            assert not second.claim(KEY)
    assert str(os.getpid()) in ledger.owner
