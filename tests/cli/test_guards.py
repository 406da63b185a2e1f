"""What must not happen by mistake: a catalog overwritten, a wrong tokenizer, a crash on a token."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import annotator
from annotator.cli import main
from annotator.errors import (
    CatalogBroken,
    CheckpointRefused,
    DeviceUnavailable,
    SettingInvalid,
    TokenizerMissing,
)
from annotator.maps.settings import MapSettings
from tests import tiny
from tests.commands import SCRIPT, error_of, files_of, mapped

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def catalog(tiny_folder: Path, tmp_path: Path) -> Path:
    mapped(tiny_folder, tmp_path / "catalog")
    return tmp_path / "catalog"


def test_export_does_not_write_into_a_catalog(
    catalog: Path, tmp_path: Path, capsys: Capture
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "catalog.json").write_text("{}")
    for out in (catalog, other):
        before = files_of(out)
        message = error_of(capsys, "export", catalog, "--to", "parquet", "--out", out)
        assert "holds a catalog" in message
        assert files_of(out) == before


def test_a_catalog_of_a_newer_format_is_not_read_and_not_condemned(
    catalog: Path, capsys: Capture
) -> None:
    path = catalog / "catalog.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2, "ledger": {}}))
    message = error_of(capsys, "show", catalog, "L0H0")
    assert "it is of format 2, and this annotator reads those up to 1" in message
    assert "annotator that made it" in message
    assert "elete" not in message
    with pytest.raises(CatalogBroken):
        annotator.open_catalog(catalog)


def test_a_tokenizer_with_more_tokens_than_rows_is_another_models(tmp_path: Path) -> None:
    module = tiny.llama(vocab_size=200)
    with pytest.raises(TokenizerMissing, match="200 rows: it is another model's"):
        annotator.map_model(module, tmp_path / "out", tokenizer=tiny.tokenizer())


def test_tokens_print_on_a_narrow_encoding(catalog: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(
        [SCRIPT, "show", catalog, "L0H0"], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert b"L0H0" in done.stdout


def test_a_home_that_does_not_exist(tiny_folder: Path, capsys: Capture) -> None:
    assert "no such path" in error_of(capsys, "map", "~nobody-here/x", "--out", "~nobody-here/y")


@pytest.mark.parametrize(
    ("name", "value"),
    [("sources", 0), ("sources", "45"), ("targets", 1001), ("dtype", "float16"), ("vocabulary", 1)],
)
def test_settings_out_of_range(name: str, value: object) -> None:
    with pytest.raises((SettingInvalid, TypeError)):  # TypeError: the tests' own type checks
        MapSettings(**{name: value})  # pyright: ignore[reportArgumentType]


def test_arguments_out_of_range(catalog: Path, tiny_folder: Path) -> None:
    opened = annotator.open_catalog(catalog)
    with pytest.raises(SettingInvalid, match="at least 1"):
        opened.heads(top=-1)
    with pytest.raises(SettingInvalid, match="mappings, signatures"):
        opened.frame("heads")
    with pytest.raises(SettingInvalid, match="at least 1"):
        annotator.row(tiny_folder, "L0H0", " the", k=0)
    with pytest.raises(DeviceUnavailable, match="cpu and cuda"):
        annotator.row(tiny_folder, "L0H0", " the", device="meta")


def test_a_state_dict_needs_a_config(tmp_path: Path) -> None:
    module = tiny.llama()
    tensors = module.state_dict()
    with pytest.raises((CheckpointRefused, TypeError), match=r"from_state_dict|Source"):
        annotator.map_model(tensors, tmp_path / "a", tokenizer=tiny.tokenizer())
    source = annotator.from_state_dict(tensors, module.config.to_dict(), "mine")
    catalog = annotator.map_model(source, tmp_path / "b", tokenizer=tiny.tokenizer())
    assert catalog.manifest.model["id"] == "mine"


def test_ctrl_c_promises_only_what_is_kept(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("annotator.pipeline.row_and_find.find", stopped)
    assert main(["find", "model", " a", " b"]) == 130
    assert capsys.readouterr().err.strip() == "Stopped."
