"""Whatever a checkpoint, a server or a person writes, no terminal obeys it."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import LlmFailed
from annotator.pipeline.progress import say
from annotator.terminal_text import brief, show_controls, visible
from tests.commands import only_error, run

CLIPBOARD = "\x1b]52;c;ZXZpbA==\x07"
SHOWN = r"\x1b]52;c;ZXZpbA==\x07"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (CLIPBOARD, SHOWN),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\x9b2Jb\x7f", r"a\x9b2Jb\x7f"),
        ("right \u202eleft\u2066", r"right \u202eleft\u2066"),
        ("over\rwritten", r"over\rwritten"),
        ("lines\nand\ttabs, é, 中, 👩🏽, \\x1b", "lines\nand\ttabs, é, 中, 👩🏽, \\x1b"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_nothing_that_is_obeyed_is_left_and_nothing_else_changed(text: str) -> None:
    kept = [c for c in text if c.isprintable() or c in "\n\t"]
    shown = visible(text)
    assert not any((ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 for c in shown)
    assert visible("".join(kept)) == "".join(kept)


def test_a_stream_lets_styles_and_bars_pass_and_nothing_else() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    show_controls(stream)
    ours = "\x1b[1;31mred\x1b[0m\r 50%\x1b[A\n"
    print(ours, CLIPBOARD, "\x1b[2J", "\x1b[5i", sep="", end="", file=stream)
    stream.seek(0)
    assert stream.read() == ours + SHOWN + r"\x1b[2J\x1b[5i"


def test_a_name_in_a_checkpoint_does_not_reach_the_clipboard(
    tiny_folder: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(tiny_folder, tmp_path / "model")
    (model / "model.safetensors").unlink()
    index = {"weight_map": {f"model.{CLIPBOARD}norm.weight": f"{CLIPBOARD}.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    done = run("map", model, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "names files of other folders" in only_error(done.stderr)
    assert not {"\x1b", "\x07"} & {*done.stdout, *done.stderr}


def test_a_name_in_a_path_does_not_either(tmp_path: Path) -> None:
    done = run("show", tmp_path / f"no{CLIPBOARD}", "L0H0")
    assert done.returncode == 1
    assert SHOWN in only_error(done.stderr)
    assert "\x1b" not in done.stderr


def test_what_a_server_says_is_shown_above_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    say(str(LlmFailed("openai:tiny", f"HTTP 404: {CLIPBOARD}")))
    printed = capsys.readouterr().err
    assert SHOWN in printed
    assert "\x1b" not in printed


def test_a_message_of_a_million_faults_is_brief() -> None:
    few = "m has 2 problems:\n  - a\n  - b\nFetch it again."
    assert brief(few) == few
    many = "\n".join(("m has problems:", *(f"  - {n}" for n in range(200_000)), "Fetch it again."))
    short = brief(many).splitlines()
    assert len(short) == 60
    assert short[:2] + short[-2:] == [
        *("m has problems:", "  - 0"),
        *("  (and 199,943 lines more)", "Fetch it again."),
    ]
    assert len(brief("x" * 10_000_000)) == 2002
