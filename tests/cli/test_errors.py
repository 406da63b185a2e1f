"""Models that cannot be mapped, as a user meets them: one message, and nothing there changes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from annotator.catalog.read import open_catalog
from annotator.cli import main
from annotator.errors import SettingInvalid
from tests import tiny
from tests.commands import error_of, files_of, mapped, only_error, run
from tests.loopback_hub import closed_port

Capture = pytest.CaptureFixture[str]


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


@pytest.fixture
def model(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to be broken."""
    return shutil.copytree(tiny_folder, tmp_path / "model")


def refused(capsys: Capture, model: Path | str, catalog: Path, *options: str) -> str:
    """The message of a model that cannot be mapped; a catalog and a new folder are left alone."""
    before = {path: path.stat().st_mtime_ns for path in catalog.rglob("*")}
    content = files_of(catalog)
    fresh = catalog.with_name("fresh")
    message = error_of(capsys, "map", model, "--out", catalog, *options)
    assert error_of(capsys, "map", model, "--out", fresh, *options) == message
    assert not fresh.exists()
    assert files_of(catalog) == content
    assert {path: path.stat().st_mtime_ns for path in catalog.rglob("*")} == before
    return message


def configure(model: Path, **changes: object) -> None:
    path = model / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_no_such_path(catalog: Path, tmp_path: Path, capsys: Capture) -> None:
    assert "no such path" in refused(capsys, tmp_path / "nowhere" / "at" / "all", catalog)
    assert "no such path" in refused(capsys, "./nowhere", catalog)
    assert "no such path" in refused(capsys, "model.gguf", catalog)


def test_a_name_that_is_neither_a_path_nor_reachable(
    catalog: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    message = refused(capsys, "some/model", catalog)
    assert "there is no such path here, and the hub could not be reached" in message


def test_an_empty_folder(catalog: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "empty").mkdir()
    assert "it has no config.json" in refused(capsys, tmp_path / "empty", catalog)


def test_an_unknown_family(model: Path, catalog: Path, capsys: Capture) -> None:
    configure(model, model_type="mamba9")
    message = refused(capsys, model, catalog)
    assert "'mamba9'" in message
    assert "llama" in message


def test_a_missing_shard(catalog: Path, tmp_path: Path, capsys: Capture) -> None:
    model = tiny.save(tmp_path / "shards", tiny.llama(), max_shard_size="20KB")
    index = json.loads((model / "model.safetensors.index.json").read_text())
    shard = index["weight_map"]["model.layers.2.self_attn.o_proj.weight"]
    (model / shard).unlink()
    assert f"{shard} is missing" in refused(capsys, model, catalog)


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.99])
def test_a_truncated_safetensors_file(
    model: Path, catalog: Path, share: float, capsys: Capture
) -> None:
    path = model / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "model.safetensors is truncated or corrupt" in refused(capsys, model, catalog)


@pytest.mark.parametrize("length", [0, 3, 24, 10_000])
def test_a_truncated_gguf_file(
    real_gguf: Path, catalog: Path, tmp_path: Path, length: int, capsys: Capture
) -> None:
    short = tmp_path / "short.gguf"
    with real_gguf.open("rb") as file:
        short.write_bytes(file.read(length))
    message = refused(capsys, short, catalog)
    assert "short" in message
    assert any(
        word in message for word in ("truncated", "cannot be read", "does not begin as a GGUF")
    )


def test_nan_in_the_value_projections(model: Path, catalog: Path, capsys: Capture) -> None:
    tensors = load_file(model / "model.safetensors")
    broken = [f"model.layers.{layer}.self_attn.v_proj.weight" for layer in (0, 2)]
    for name in broken:
        tensors[name][3, 5] = float("nan")
    save_file(tensors, model / "model.safetensors")
    message = refused(capsys, model, catalog)
    assert all(f"{name} holds 1 NaN or infinite values" in message for name in broken)


def test_no_tokenizer(model: Path, catalog: Path, capsys: Capture) -> None:
    (model / "tokenizer.json").unlink()
    message = refused(capsys, model, catalog)
    assert "no usable tokenizer" in message
    assert "--tokenizer" in message


@pytest.mark.parametrize("content", [None, b"", b"{", b"{}", b"[]"])
def test_a_tokenizer_that_is_none(
    model: Path, catalog: Path, tmp_path: Path, content: bytes | None, capsys: Capture
) -> None:
    named = tmp_path / "tokenizer.json"
    if content is not None:
        named.write_bytes(content)
    message = refused(capsys, model, catalog, "--tokenizer", str(named))
    assert f"no usable tokenizer for {named}" in message


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_device_that_is_not_here(
    tiny_folder: Path, catalog: Path, device: str, capsys: Capture
) -> None:
    message = refused(capsys, tiny_folder, catalog, "--device", device)
    assert f"device {device!r} cannot be used" in message
    assert "Use --device cpu." in message


@pytest.mark.parametrize("device", ["abacus", "", "cpu:x", "meta", "xla"])
def test_a_device_that_is_none(
    tiny_folder: Path, catalog: Path, device: str, capsys: Capture
) -> None:
    message = refused(capsys, tiny_folder, catalog, "--device", device)
    assert f"device {device!r} cannot be used" in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["map", "MODEL"], "--out"),
        (["map", "MODEL", "--out", "OUT", "--sources", "0"], "--sources"),
        (["map", "MODEL", "--out", "OUT", "--targets", "many"], "--targets"),
        (["map", "MODEL", "--out", "OUT", "--vocab", "most"], "--vocab"),
        (["map", "MODEL", "--out", "OUT", "--dtype", "int4"], "--dtype"),
        (["row", "MODEL", "L0H0", "#1", "-k", "0"], "-k"),
        (["find", "MODEL", "#1"], "TARGET"),
        (["heads", "CATALOG", "--top", "0"], "--top"),
        (["heads", "CATALOG", "--telling", "--sort", "copy"], "--sort"),
        (["export", "CATALOG", "--to", "xlsx"], "--to"),
        (["unheard"], "unheard"),
    ],
)
def test_arguments_that_are_wrong(args: list[str], named: str, capsys: Capture) -> None:
    assert main(args) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert named in only_error(printed.err)


@pytest.mark.parametrize("head", ["L1", "23", "L1H", "H2L1", "L-1H0", "L1H2x", "LxHy", ""])
@pytest.mark.parametrize("command", ["show", "row"])
def test_a_malformed_head(
    tiny_folder: Path, catalog: Path, command: str, head: str, capsys: Capture
) -> None:
    args = (catalog, head) if command == "show" else (tiny_folder, head, "#7")
    message = error_of(capsys, command, "--", *args)
    assert f"{head!r} is not a head's name. Write layer and head from 0, as in L23H4." in message


@pytest.mark.parametrize("head", ["L3H0", "L0H4", "L99999999999999999999H0"])
@pytest.mark.parametrize("command", ["show", "row"])
def test_a_head_that_the_model_does_not_have(
    tiny_folder: Path, catalog: Path, command: str, head: str, capsys: Capture
) -> None:
    args = (catalog, head) if command == "show" else (tiny_folder, head, "#7")
    message = error_of(capsys, command, *args)
    assert f"there is no head {head}: this model has L0 to L2, each with H0 to H3." in message


@pytest.mark.parametrize("text", ["the of", "", "#320", "#99999"])
def test_a_text_that_is_not_one_token(tiny_folder: Path, text: str, capsys: Capture) -> None:
    assert f"{text!r} is not one token" in error_of(capsys, "row", tiny_folder, "L0H0", text)
    assert f"{text!r} is not one token" in error_of(capsys, "find", tiny_folder, "#1", text)
    assert f"{text!r} is not one token" in error_of(capsys, "find", tiny_folder, text, "#1")


def test_an_unknown_signature(catalog: Path, capsys: Capture) -> None:
    assert main(["heads", str(catalog), "--sort", "charm"]) == 2
    message = capsys.readouterr().err
    assert all(name in message for name in ("charm", "copy", "strength", "telling"))
    with pytest.raises(SettingInvalid, match="telling"):
        open_catalog(catalog).heads(sort="charm")


def _no_config(model: Path) -> None:
    (model / "config.json").unlink()


def _half_the_weights(model: Path) -> None:
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _no_tokenizer(model: Path) -> None:
    (model / "tokenizer.json").unlink()


@pytest.mark.parametrize("broken", [_no_config, _half_the_weights, _no_tokenizer])
def test_in_a_process_of_its_own(
    model: Path, catalog: Path, broken: Callable[[Path], None]
) -> None:
    broken(model)
    before = files_of(catalog)
    done = run("map", model, "--out", catalog)
    assert done.returncode == 1
    assert done.stdout == ""
    assert only_error(done.stderr).strip()
    assert files_of(catalog) == before
