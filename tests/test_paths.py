"""Folders as people have them: odd names, no home, nothing that may be written."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from annotator.cli import main
from annotator.errors import HomeMissing, PathInvalid
from annotator.label_studio.install import home
from annotator.paths import cache_folder, user_path
from annotator.pipeline.export import export
from annotator.pipeline.map import map_model
from annotator.pipeline.quickstart import embedded_model
from annotator.tokens.gguf import gguf_tokenizer
from annotator.weights.gguf import GgufFile
from tests.commands import SCRIPT, error_of, files_of, only_error

NO_UTF_8 = os.fsdecode(b"caf\xe9")
ODD = (
    "a [v2]",
    "star*",
    "what?",
    "a#b",
    "50%20",
    "~x",
    "trailing ",
    "a?mode=ro",
    "new\nline",
    "q'",
)


def commands_of(catalog: Path, model: Path, new: Path) -> list[tuple[object, ...]]:
    """What reads and writes at a catalog, a model and another path."""
    return [
        ("map", model, "--out", new / "mapped"),
        ("describe", catalog, "--all", "--llm", "rules"),
        ("show", catalog, "L0H0"),
        ("heads", catalog),
        ("row", model, "L0H0", "#5"),
        *(("export", catalog, "--to", to, "--out", new / to) for to in ("csv", "hf", "site")),
        ("ledger", "check", catalog),
        ("ledger", "backup", catalog, new / "backup.db"),
        ("judge", "export", catalog, "--rater", "ada", "--out", new / "judge"),
    ]


@pytest.mark.parametrize("name", ODD)
def test_a_folder_of_any_name(tiny_folder: Path, tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    place.mkdir()
    model = shutil.copytree(tiny_folder, place / "model")
    map_model(model, place / "catalog", progress=False)
    for command in commands_of(place / "catalog", model, place):
        assert main([str(arg) for arg in command]) == 0, command
    made = {path.name for path in place.iterdir()}
    assert made == {"model", "catalog", "mapped", "csv", "hf", "site", "backup.db", "judge"}
    assert {path.name for path in tmp_path.iterdir()} == {name}


def test_a_path_that_is_no_utf_8_is_refused_before_anything(
    ruled: Path, tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / NO_UTF_8
    shutil.copytree(ruled, place / "catalog")
    shutil.copytree(tiny_folder, place / "model")
    before = files_of(tmp_path)
    for command in commands_of(place / "catalog", place / "model", tmp_path / "new"):
        said = error_of(capsys, *command)
        assert "it is no UTF-8 text" in said, command
        assert said.count("\n") == 1
    for command in commands_of(ruled, tiny_folder, place):
        if str(place) in map(str, command) or str(place) in str(command[-1]):
            assert "it is no UTF-8 text" in error_of(capsys, *command), command
    assert files_of(tmp_path) == before


def test_the_current_folder_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, reason in ((NO_UTF_8, "no UTF-8 text"), ("gone", "which is no more")):
        place = tmp_path / name
        place.mkdir()
        with monkeypatch.context() as context:
            context.chdir(place)
            if name == "gone":
                place.rmdir()
            with pytest.raises(PathInvalid, match=reason):
                user_path("catalog")
            assert user_path(tmp_path) == tmp_path


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of whom the system knows a number and no more, as in many containers."""

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "ANNOTATOR_CACHE", "ANNOTATOR_LABEL_STUDIO", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize("ask", [cache_folder, home])
def test_a_user_without_a_home_is_told_what_to_set(ask: Callable[[], Path]) -> None:
    with pytest.raises(HomeMissing, match=r"have .* name a folder"):
        ask()


@pytest.mark.usefixtures("nobody")
def test_a_tokenizer_is_built_where_there_is_no_cache() -> None:
    metadata = GgufFile(embedded_model()).metadata
    assert gguf_tokenizer(metadata, "embedded").get_vocab_size() == 49152


def test_a_folder_that_may_only_be_read(ruled: Path, tmp_path: Path) -> None:
    catalog = shutil.copytree(ruled, tmp_path / "catalog")
    (catalog / "ledger.db").unlink()
    before = files_of(catalog)
    unmounted = ("unshare", "-rm", "sh", "-c", _READ_ONLY, str(catalog))
    if subprocess.run([*unmounted, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a read-only place")
    for command, reason in (
        (("show", catalog, "L0H0"), None),
        (("export", catalog, "--to", "csv", "--out", tmp_path / "csv"), None),
        (("export", catalog, "--to", "csv"), f"cannot write {catalog}/export/csv"),
        (("describe", catalog, "--all", "--llm", "rules"), "its folder cannot be written"),
        (("ledger", "backup", catalog, catalog / "b.db"), "there is no ledger"),
    ):
        done = subprocess.run(
            [*unmounted, SCRIPT, *map(str, command)], capture_output=True, text=True, check=False
        )
        assert done.returncode == (reason is not None), done.stderr
        assert reason is None or reason in only_error(done.stderr)
    assert files_of(catalog) == before


_READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'


def test_an_export_says_where_its_path_would_be_taken_for_wildcards(
    ruled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seen with datasets 5.2: `runs [v2]/hf` gave the rows of `runs v/hf`."""
    for name, is_said in (("runs [v2]", True), ("a::b", True), ("runs*", True), ("runs v", False)):
        export(ruled, "hf", tmp_path / name / "hf", progress=False)
        assert ("load_dataset takes" in capsys.readouterr().err) is is_said, name
        export(ruled, "csv", tmp_path / name / "csv", progress=False)
        assert not capsys.readouterr().err
        heads = pd.read_parquet(tmp_path / name / "hf" / "data" / "heads.parquet")
        assert len(heads) == 12
