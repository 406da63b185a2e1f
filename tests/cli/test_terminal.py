"""Whatever a checkpoint, a server or a person writes, no terminal obeys it."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text
from tokenizers import AddedToken
from tqdm import tqdm

from annotator.cli.layout import new_console, new_table
from annotator.errors import LlmFailed
from annotator.pipeline.progress import say
from annotator.terminal_text import Styled, brief, show_controls, visible
from tests import PATIENCE, tiny
from tests.cli.together import run_all
from tests.commands import SCRIPT, only_error, run

CLIPBOARD = "\x1b]52;c;ZXZpbA==\x07"
OBEYED = {chr(one) for one in range(0xA0) if one not in (9, 10) and not 32 <= one < 127}
OBEYED |= {*"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
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


@pytest.mark.parametrize("bars", [False, True])
def test_a_stream_lets_styles_pass_or_bars_too_and_nothing_else(bars: bool) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    show_controls(stream, bars=bars)
    styled = Styled("\x1b[1;31mred\x1b[0m")
    for text in (styled, CLIPBOARD, "a\x1b[31mb\x1b[A\rc", "\x1b[Ad\x1b[A", "e\r"):
        stream.write(text)
    assert held(stream) == styled + SHOWN + r"a\x1b[31mb\x1b[A\rc\x1b[Ad\x1b[Ae\r"
    for text in ("\r 50%\x1b[K\r", "\n\n\x1b[A\x1b[A", "\n", "\r"):
        stream.write(text)
    own = "\r 50%\\x1b[K\\r\n\n\x1b[A\x1b[A\n\r"
    assert held(stream) == (own if bars else r"\r 50%\x1b[K\r" "\n\n" r"\x1b[A\x1b[A" "\n" r"\r")


def held(stream: io.TextIOWrapper) -> str:
    """What was written since this was asked last."""
    stream.seek(0)
    text = stream.read()
    stream.seek(0)
    stream.truncate()
    return text


def test_bars_are_drawn_as_ever() -> None:
    drawn: list[str] = []
    for shown in (False, True):
        stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
        if shown:
            show_controls(stream, bars=True)
        form = {"bar_format": "{desc} {n}", "mininterval": 60}  # drawn when it is told to
        with tqdm(file=stream, desc="above", **form) as one, tqdm(file=stream, **form) as two:
            one.refresh()
            two.refresh()
            two.clear()
        drawn.append(held(stream))
    assert "\x1b[A" in drawn[0]
    assert drawn[0] == drawn[1]


def test_a_table_on_a_terminal_has_styles_and_shows_the_rest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    console = new_console()
    table = new_table(("head", "head"), ("said", ""))
    table.add_row("L0H0", Text("\x1b[8mhidden\x1b[A"))
    console.print(table, Text("\x1b[1mbold?"), "plain \u202e")
    text = capsys.readouterr().out
    assert "\x1b[1m" in text
    bare = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert not OBEYED & {*bare}
    assert r"\x1b[8mhidden\x1b[A" in text
    assert r"\x1b[1mbold?" in text


CATALOG_COMMANDS = (
    *("show C L0H0", "heads C", "heads C --telling", "heads C --relation last_letter"),
    *("relations C", "relations C --relation last_letter", "descriptions C --llm made-up"),
    *("judge report C --llm made-up", "judge report C", "ledger check C", "validate compare C"),
    *("describe C --llm rules --heads L0H0", "judge export C --llm made-up --rater ada"),
    *("export C --to jsonl", "export C --to hf --push a/b --dry-run", "row M L0H0 T", "find M T T"),
    *("judge report C --llm nobody", "prompts show L0H0 C", "show C L9H9"),
)


def test_no_command_hands_a_terminal_what_it_would_obey(
    everything: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    catalog = shutil.copytree(everything, tmp_path / "catalog")
    model = shutil.copytree(tiny_folder, tmp_path / "model")
    tokenizer = tiny.tokenizer()
    tokenizer.add_tokens([AddedToken(one, special=True) for one in (CLIPBOARD, "\x1b[2J")])
    tokenizer.save(str(model / "tokenizer.json"))
    named = {"C": str(catalog), "M": str(model), "T": f"#{tokenizer.token_to_id(CLIPBOARD)}"}
    lines = [line.split() for line in CATALOG_COMMANDS]
    ran = run_all([[named.get(word, word) for word in line] for line in lines], COLUMNS="120")
    for one in ran:
        assert one.code == (1 if {"nobody", "L9H9"} & {*one.words} else 0), one
        assert not OBEYED & {*one.out, *one.err}, one.words
    texts = [one.out + one.err for one in ran]
    assert all(any(shown in text for text in texts) for shown in (SHOWN, r"\x1b[2J", r"\u202e"))
    assert sum(r"\x1b[2J" in text for text in texts) > 8, "they did print it"


def test_nor_does_the_line_of_a_page(everything: Path, tmp_path: Path) -> None:
    command = [SCRIPT, "view", everything, "--no-browser", "--out", tmp_path / "page"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert SHOWN in line
    assert not OBEYED & {*line}


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
