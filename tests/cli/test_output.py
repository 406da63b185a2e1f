"""Outputs that cannot be written or read: one message, nothing lost, and the rerun finishes."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from annotator.atomic_files import is_part, part_name
from annotator.catalog.build import Builder
from annotator.catalog.manifest import Manifest
from annotator.cli import main
from tests import PATIENCE, tiny
from tests.commands import error_of, files_of, mapped, only_error, run

Capture = pytest.CaptureFixture[str]
TABLES = ("maps.parquet", "signatures.parquet")


@pytest.fixture(scope="module")
def finished(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished catalog of the tiny model."""
    out = tmp_path_factory.mktemp("finished") / "catalog"
    mapped(tiny_folder, out)
    return out


@pytest.fixture
def catalog(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(finished, tmp_path / "catalog")


def test_a_parent_that_is_a_file(tiny_folder: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").write_text("mine")
    message = error_of(capsys, "map", tiny_folder, "--out", tmp_path / "file" / "catalog")
    assert f"cannot write {tmp_path / 'file' / 'catalog'}" in message
    assert (tmp_path / "file").read_text() == "mine"


def test_an_output_that_is_a_file(tiny_folder: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").write_text("mine")
    assert "cannot write" in error_of(capsys, "map", tiny_folder, "--out", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_place_where_nothing_can_be_made(tiny_folder: Path, capsys: Capture) -> None:
    """Not even root makes a folder in /proc."""
    assert "cannot write /proc/annotator" in error_of(
        capsys, "map", tiny_folder, "--out", "/proc/annotator"
    )


def test_a_folder_that_holds_other_files(
    tiny_folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    message = error_of(capsys, "map", tiny_folder, "--out", tmp_path)
    assert "holds no catalog.json (there: thesis.tex)" in message
    assert {path.name for path in tmp_path.iterdir()} == {"thesis.tex"}
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_a_catalog_of_another_model(catalog: Path, tmp_path: Path, capsys: Capture) -> None:
    other = tiny.save(tmp_path / "other", tiny.randomised(tiny.llama(), seed=7))
    before = files_of(catalog)
    message = error_of(capsys, "map", other, "--out", catalog)
    there = json.loads(before["catalog.json"])["model"]["weight_digest"]
    assert f"model.weight_digest: there '{there[:12]}..., asked for" in message
    assert "model.id: there 'tiny-llama', asked for 'other'" in message
    assert message.count("  - ") == 2
    assert files_of(catalog) == before


def test_a_catalog_of_the_same_weights_under_another_config(
    tiny_folder: Path, catalog: Path, tmp_path: Path, capsys: Capture
) -> None:
    other = shutil.copytree(tiny_folder, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"hidden_act": "gelu"}))
    before = files_of(catalog)
    assert "model.weight_digest" in error_of(capsys, "map", other, "--out", catalog)
    assert files_of(catalog) == before


def test_a_catalog_with_other_settings_names_each_that_differs(
    tiny_folder: Path, catalog: Path, capsys: Capture
) -> None:
    options = {
        "--sources": ("sources", 45, 10),
        "--targets": ("targets", 5, 3),
        "--vocab": ("vocabulary", "all", "usable"),
        "--source-form": ("source_form", "mlp-after-layer-0", "mlp"),
        "--dtype": ("dtype", "float32", "float64"),
    }
    given = [text for option, (_, _, asked) in options.items() for text in (option, asked)]
    before = files_of(catalog)
    message = error_of(capsys, "map", tiny_folder, "--out", catalog, "--suppress", *given)
    for name, there, asked in (("suppress", False, True), *options.values()):
        assert f"  - settings.{name}: there {there!r}, asked for {asked!r}" in message
    assert message.count("  - ") == len(options) + 1
    assert files_of(catalog) == before


def test_a_catalog_with_another_tokenizer(
    tiny_folder: Path, catalog: Path, tmp_path: Path, capsys: Capture
) -> None:
    named = tmp_path / "tokenizer.json"
    tiny.tokenizer(vocab=264).save(str(named))
    before = files_of(catalog)
    message = error_of(capsys, "map", tiny_folder, "--out", catalog, "--tokenizer", named)
    assert "model.tokenizer_digest" in message
    assert message.count("  - ") == 1
    assert files_of(catalog) == before


FULL = [
    "catalog.json",
    ".model",
    "building/maps/L000.parquet",
    "building/signatures/L000.parquet",
    "building/maps/L001-002.parquet",
    "building/signatures/L001-002.parquet",
    "maps.parquet",
    "signatures.parquet",
]
"""Every file, in the order they are written."""


@pytest.mark.parametrize("full", FULL)
def test_a_disk_that_is_full_at_some_file(
    tiny_folder: Path,
    finished: Path,
    tmp_path: Path,
    full: str,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From that file on no file can grow: the kernel itself says so."""
    out, begun = tmp_path / "out", iter(FULL)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def begin() -> str:
        if next(begun) == full:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
        return part_name()

    with monkeypatch.context() as patch:
        patch.setattr("annotator.atomic_files.part_name", begin)
        try:
            message = error_of(capsys, "map", tiny_folder, "--out", out)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert f"cannot write {out / full}: {os.strerror(27)}" in message
    assert not (out / full).exists()
    assert not any(is_part(path.name) for path in out.rglob("*"))
    if full == "building/maps/L001-002.parquet":
        assert (out / "building/maps/L000.parquet").is_file(), "a finished layer is kept"
    assert mapped(tiny_folder, out) == files_of(finished)


def test_two_processes_at_once(tiny_folder: Path, finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Builder(out, Manifest.read(finished), [(0,), (1, 2)]):
        during = files_of(out)
        second = run("map", tiny_folder, "--out", out)
        assert second.returncode == 1
        assert f"another process is writing {out}" in only_error(second.stderr)
        assert files_of(out) == during
    assert mapped(tiny_folder, out) == files_of(finished)


def test_killed_at_the_first_file(tiny_folder: Path, finished: Path, tmp_path: Path) -> None:
    """A folder with nothing but what a kill left is as good as empty, and is swept."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / part_name()).touch()
    assert mapped(tiny_folder, tmp_path / "out") == files_of(finished)


HELD = """
import os, sys
from annotator.cli import main

def hold(event, args):
    if event == "os.rename" and str(args[1]).endswith("maps/L001-002.parquet"):
        os.read(0, 1)

sys.addaudithook(hold)
sys.exit(main())
"""


def test_interrupted_from_the_keyboard(tiny_folder: Path, finished: Path, tmp_path: Path) -> None:
    """A pipe that nobody writes to holds the run at the second layer, where ^C meets it."""
    out = tmp_path / "out"
    command = [sys.executable, "-c", HELD, "map", tiny_folder, "--out", out]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=pipe, stderr=pipe) as process:
        deadline = time.monotonic() + PATIENCE
        while not (out / "building/signatures/L000.parquet").is_file():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert len(stderr.strip().splitlines()) == 1
    assert "run the same command again" in stderr
    assert (out / "building/maps/L000.parquet").is_file()
    assert mapped(tiny_folder, out) == files_of(finished)


# What reads each table; `heads` needs the signatures alone.
SHOW = [lambda catalog: ("show", catalog, "L1H2"), lambda catalog: ("heads", catalog, "--telling")]
READERS = {"maps.parquet": SHOW, "signatures.parquet": [*SHOW, lambda catalog: ("heads", catalog)]}


@pytest.mark.parametrize("name", TABLES)
def test_a_truncated_table(
    catalog: Path, tiny_folder: Path, finished: Path, name: str, capsys: Capture
) -> None:
    content = (catalog / name).read_bytes()
    for length in (0, 3, 8, len(content) // 2, len(content) - 1):
        (catalog / name).write_bytes(content[:length])
        for args in READERS[name]:
            assert f"{catalog / name} cannot be read" in error_of(capsys, *args(catalog))
        message = error_of(capsys, "export", catalog, "--to", "jsonl")
        assert f"{catalog / name} cannot be read" in message
        assert "Delete that file and run the same annotator map again" in message
    (catalog / name).unlink()
    assert mapped(tiny_folder, catalog) == files_of(finished), "the remedy it names"


@pytest.mark.parametrize("name", TABLES)
def test_a_table_without_rows(catalog: Path, name: str, capsys: Capture) -> None:
    pq.write_table(pq.read_table(catalog / name).slice(0, 0), catalog / name)
    for args in READERS[name]:
        assert "cannot be read" in error_of(capsys, *args(catalog))


@pytest.mark.parametrize("name", TABLES)
def test_a_table_with_other_columns(catalog: Path, name: str, capsys: Capture) -> None:
    pq.write_table(pq.read_table(catalog / name).drop_columns("head"), catalog / name)
    for args in READERS[name]:
        assert f"{catalog / name} cannot be read" in error_of(capsys, *args(catalog))


def test_a_table_damaged_anywhere_gives_an_answer_or_one_error(
    catalog: Path, capsys: Capture
) -> None:
    path = catalog / "maps.parquet"
    content = path.read_bytes()
    codes: list[int] = []
    for at in range(0, len(content), len(content) // 50):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        codes.append(main(["show", str(catalog), "L1H2", "--rows", "1"]))
        printed = capsys.readouterr()
        if codes[-1] != 0:
            assert f"{path} cannot be read" in only_error(printed.err)
    assert 1 in codes


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"{}",
        b"\xff",
        b'{"model":{},"dims":{},"settings":{},"versions":{}}',
    ],
)
def test_a_broken_manifest(
    catalog: Path, tiny_folder: Path, content: bytes, capsys: Capture
) -> None:
    (catalog / "catalog.json").write_bytes(content)
    for args in (
        ("show", catalog, "L1H2"),
        ("heads", catalog),
        ("export", catalog, "--to", "csv"),
        ("map", tiny_folder, "--out", catalog),
    ):
        assert f"{catalog / 'catalog.json'} cannot be read" in error_of(capsys, *args)


def test_no_catalog_and_an_unfinished_one(catalog: Path, tmp_path: Path, capsys: Capture) -> None:
    for args in (("show", "L0H0"), ("heads",), ("export", "--to", "csv")):
        command, *rest = args
        message = error_of(capsys, command, tmp_path / "none", *rest)
        assert "there is no catalog.json" in message
    (catalog / "maps.parquet").unlink()
    message = error_of(capsys, "show", catalog, "L0H0")
    assert f"no finished catalog at {catalog}: it is not finished" in message
    assert "annotator map MODEL --out" in message
