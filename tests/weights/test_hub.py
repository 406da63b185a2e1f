"""Models on the hub, against a hub on this machine that keeps a list of what is asked of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import save_file

from annotator.errors import ModelNotFound
from annotator.weights.open_source import open_source
from tests import tiny
from tests.commands import error_of, files_of, mapped, run
from tests.loopback_hub import Hub, closed_port, running

Capture = pytest.CaptureFixture[str]
REPO = "someone/tiny-llama"
SHARDS = ("early", "heads", "queries", "later")
NEEDED = {"config.json", "model.safetensors.index.json", "tokenizer.json"} | {
    f"model-{shard}.safetensors" for shard in ("early", "heads")
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hub-cache"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as one file, saved by transformers."""
    return tiny.save(tmp_path_factory.mktemp("whole") / "tiny", tiny.llama())


@pytest.fixture(scope="module")
def sharded(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The same weights in shards of which two hold nothing that a map needs, and more files."""
    folder = tmp_path_factory.mktemp("sharded")
    shards: dict[str, dict[str, torch.Tensor]] = {name: {} for name in SHARDS}
    for name, tensor in tiny.llama().state_dict().items():
        shards[shard_of(name)][name] = tensor
    for shard, tensors in shards.items():
        save_file(tensors, folder / f"model-{shard}.safetensors")
    weight_map = {n: f"model-{shard}.safetensors" for shard in SHARDS for n in shards[shard]}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    local = files_of(whole)
    kept = {name: local[name] for name in ("config.json", "tokenizer.json")}
    useless = {"README.md": b"# tiny", "pytorch_model.bin": b"\x80", "onnx/model.onnx": b"\x08"}
    return {**files_of(folder), **kept, **useless}


def shard_of(name: str) -> str:
    """Which shard a tensor goes to; written down here from the definition of a head map."""
    if "v_proj" in name or "o_proj" in name:
        return "heads"
    if "q_proj" in name or "k_proj" in name:
        return "queries"
    first_mlp = ("layers.0.mlp", "layers.0.post_attention_layernorm", "embed_tokens", "lm_head")
    return "early" if any(part in name for part in first_mlp) else "later"


def revision_of(out: Path) -> str:
    return json.loads((out / "catalog.json").read_text())["model"]["revision"]


def test_only_shards_that_hold_needed_tensors_are_asked_for(
    hub: Hub, sharded: dict[str, bytes], whole: Path, tmp_path: Path
) -> None:
    commit = hub.push(REPO, sharded)
    there = mapped(REPO, tmp_path / "there")
    assert hub.downloaded() == NEEDED
    assert hub.touched() == NEEDED
    here = mapped(whole, tmp_path / "here")
    assert there["maps.parquet"] == here["maps.parquet"]
    assert there["signatures.parquet"] == here["signatures.parquet"]
    model = json.loads(there["catalog.json"])["model"]
    local = json.loads(here["catalog.json"])["model"]
    assert model == {**local, "id": REPO, "revision": commit}


def test_what_was_downloaded_is_not_downloaded_again(
    hub: Hub, sharded: dict[str, bytes], tmp_path: Path
) -> None:
    hub.push(REPO, sharded)
    first = mapped(REPO, tmp_path / "first")
    hub.requests.clear()
    second = mapped(REPO, tmp_path / "second")
    assert first == second
    assert hub.downloaded() == set()


def test_a_revision_names_other_weights_and_its_commit_is_recorded(
    hub: Hub, whole: Path, tmp_path: Path
) -> None:
    other = tiny.save(tmp_path / "other", tiny.randomised(tiny.llama(), seed=7))
    commits = {
        "main": hub.push(REPO, files_of(whole)),
        "v2/long": hub.push(REPO, files_of(other), branch="v2/long"),
    }
    assert commits["main"] != commits["v2/long"]
    maps = {}
    for revision, commit in commits.items():
        out = tmp_path / f"by-branch-{commit}"
        maps[revision] = mapped(REPO, out, "--revision", revision)["maps.parquet"]
        assert revision_of(out) == commit
        again = mapped(REPO, tmp_path / f"by-commit-{commit}", "--revision", commit)
        assert again["maps.parquet"] == maps[revision]
    assert maps["main"] != maps["v2/long"]
    assert maps["v2/long"] == mapped(other, tmp_path / "local")["maps.parquet"]


def test_a_branch_that_has_moved_gives_the_new_commit(
    hub: Hub, whole: Path, tmp_path: Path
) -> None:
    before = hub.push(REPO, files_of(whole))
    assert open_source(REPO).revision == before
    after = hub.push(REPO, {**files_of(whole), "README.md": b"moved"})
    assert open_source(REPO).revision == after != before


@pytest.mark.parametrize("token", [None, "hf_of_a_stranger"])
def test_an_unknown_repository(
    hub: Hub,
    token: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    message = error_of(capsys, "map", "nobody/nothing", "--out", str(tmp_path / "out"))
    assert "no model at 'nobody/nothing'" in message
    assert "no such repository, or a private one" in message
    assert not (tmp_path / "out").exists()


def test_an_unknown_revision_is_named(
    hub: Hub, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    hub.push(REPO, files_of(whole))
    out = str(tmp_path / "out")
    message = error_of(capsys, "map", REPO, "--out", out, "--revision", "v9")
    assert "the repository has no revision 'v9'" in message


@pytest.mark.parametrize("token", [None, "hf_of_a_stranger"], ids=["401", "403"])
def test_a_gated_repository(
    hub: Hub,
    token: str | None,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    hub.push(REPO, files_of(whole))
    hub.gated.add(REPO)
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    message = error_of(capsys, "map", REPO, "--out", str(tmp_path / "out"))
    assert "it is gated; ask for access on its page, then set HF_TOKEN" in message


def test_a_private_repository_opens_with_a_token(
    hub: Hub, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = hub.push(REPO, files_of(whole))
    hub.private.add(REPO)
    with pytest.raises(ModelNotFound, match="set HF_TOKEN"):
        open_source(REPO)
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_friend")
    assert open_source(REPO).revision == commit


def test_a_token_that_is_not_valid(hub: Hub, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.push(REPO, files_of(whole))
    hub.bad_token = "hf_outdated"
    monkeypatch.setenv("HF_TOKEN", hub.bad_token)
    with pytest.raises(ModelNotFound, match="the token is not valid"):
        open_source(REPO)


@pytest.mark.parametrize("ends", ["close", "reset"])
def test_a_connection_that_breaks_in_the_middle_of_a_file(
    hub: Hub,
    ends: str,
    sharded: dict[str, bytes],
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    hub.push(REPO, sharded)
    hub.drops["model-heads.safetensors"] = ends
    out = tmp_path / "out"
    message = error_of(capsys, "map", REPO, "--out", str(out))
    assert f"no model at '{REPO}'" in message
    assert "model-heads.safetensors could not be fetched" in message
    assert not out.exists()
    hub.drops.clear()
    rerun = mapped(REPO, out)
    assert rerun["maps.parquet"] == mapped(whole, tmp_path / "whole")["maps.parquet"]


def test_a_hub_that_answers_without_being_one(hub: Hub, tmp_path: Path, capsys: Capture) -> None:
    hub.status = 200  # an empty page, as a captive portal may send
    message = error_of(capsys, "map", REPO, "--out", str(tmp_path / "out"))
    assert f"no model at '{REPO}'" in message


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    message = error_of(capsys, "map", REPO, "--out", str(tmp_path / "out"))
    assert "there is no such path here, and the hub could not be reached" in message


@pytest.mark.parametrize("trouble", ["refused", 503])
@pytest.mark.parametrize("layout", ["whole", "sharded"])
def test_without_a_connection_the_cache_serves(
    hub: Hub,
    trouble: str | int,
    layout: str,
    whole: Path,
    sharded: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit = hub.push(REPO, sharded if layout == "sharded" else files_of(whole))
    online = mapped(REPO, tmp_path / "online")
    if trouble == "refused":
        monkeypatch.setenv("HF_ENDPOINT", closed_port())
    else:
        hub.status = int(trouble)
    assert mapped(REPO, tmp_path / "offline") == online
    assert revision_of(tmp_path / "offline") == commit
    assert mapped(REPO, tmp_path / "by-commit", "--revision", commit) == online


def test_without_a_connection_another_revision_is_not_in_the_cache(
    hub: Hub, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.push(REPO, files_of(whole))
    open_source(REPO)
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    with pytest.raises(ModelNotFound, match="could not be reached"):
        open_source(REPO, "v2")


def test_only_pickled_weights_are_refused_with_the_way_to_convert_them(
    hub: Hub, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    files = files_of(whole)
    files["pytorch_model.bin"] = files.pop("model.safetensors")
    hub.push(REPO, files)
    message = error_of(capsys, "map", REPO, "--out", str(tmp_path / "out"))
    assert f"{REPO} is refused" in message
    assert "pickled weights" in message
    assert f"M.from_pretrained('{REPO}').save_pretrained('converted')" in message
    assert "pytorch_model.bin" not in hub.downloaded(), "a pickle is not worth a download"


def test_a_repository_without_config_or_weights(hub: Hub, whole: Path) -> None:
    files = files_of(whole)
    hub.push("a/no-config", {"README.md": b"nothing"})
    with pytest.raises(ModelNotFound, match=r"it has no config\.json"):
        open_source("a/no-config")
    hub.push("a/no-weights", {"config.json": files["config.json"]})
    with pytest.raises(Exception, match=r"model\.safetensors is missing"):
        open_source("a/no-weights").names()


def test_the_environment_alone_decides_endpoint_and_cache(
    hub: Hub, sharded: dict[str, bytes], tmp_path: Path
) -> None:
    """In a process of its own, as a user runs it."""
    commit = hub.push(REPO, sharded)
    home = tmp_path / "home"
    done = run("map", REPO, "--out", tmp_path / "out", HF_ENDPOINT=hub.url, HF_HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert hub.downloaded() == NEEDED
    assert revision_of(tmp_path / "out") == commit
    snapshots = home / "hub" / "models--someone--tiny-llama" / "snapshots"
    assert [path.name for path in snapshots.iterdir()] == [commit]


def test_a_missing_tokenizer_is_said_before_any_weights_are_fetched(
    hub: Hub, sharded: dict[str, bytes], tmp_path: Path, capsys: Capture
) -> None:
    hub.push(REPO, {name: data for name, data in sharded.items() if name != "tokenizer.json"})
    assert "no usable tokenizer" in error_of(capsys, "map", REPO, "--out", str(tmp_path / "out"))
    assert not [
        path
        for method, path in hub.requests
        if method == "GET" and "safetensors" in path and "index" not in path
    ]
