"""Folders that cannot be mapped: each is refused in words, with every problem named at once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig

from annotator.errors import CheckpointBroken, CheckpointRefused, ModelNotFound, UnknownFamily
from annotator.weights.check_tensors import verify
from annotator.weights.checkpoint import Checkpoint
from annotator.weights.families import FAMILIES
from annotator.weights.find_family import make_plan
from annotator.weights.open_source import open_source
from tests import tiny

INDEX = "model.safetensors.index.json"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("saved") / "llama", tiny.llama())


@pytest.fixture(scope="module")
def saved_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "llama-shards"
    return tiny.save(folder, tiny.llama(), max_shard_size="20KB")


@pytest.fixture
def whole(saved: Path, tmp_path: Path) -> Path:
    """A copy of the one-file checkpoint, to be broken."""
    return shutil.copytree(saved, tmp_path / "llama")


@pytest.fixture
def shards(saved_shards: Path, tmp_path: Path) -> Path:
    """A copy of the checkpoint in shards, to be broken."""
    return shutil.copytree(saved_shards, tmp_path / "llama-shards")


def opened(folder: Path) -> str:
    """All that happens before mapping starts; gives the digest."""
    return verify(make_plan(open_source(folder)))


def problems(folder: Path) -> list[str]:
    with pytest.raises(CheckpointBroken) as caught:
        opened(folder)
    message = str(caught.value)
    assert folder.name in message
    assert all(problem in message for problem in caught.value.problems)
    return list(caught.value.problems)


def configure(folder: Path, **changes: Any) -> None:
    """Change config.json; a value of None takes the key out."""
    path = folder / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: config[key] for key in config if config[key] is not None}))


def files_by_tensor(folder: Path) -> dict[str, str]:
    return json.loads((folder / INDEX).read_text())["weight_map"]


def test_the_copies_are_sound_before_they_are_broken(whole: Path, shards: Path) -> None:
    assert opened(whole) == opened(shards)
    assert len(set(files_by_tensor(shards).values())) > 3


def test_no_such_path(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="no such path"):
        opened(tmp_path / "not" / "there")


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ModelNotFound, match=r"neither a folder nor a \.gguf file"):
        opened(tmp_path / "notes.txt")


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"it has no config\.json"):
        opened(tmp_path)


def test_a_folder_without_config(whole: Path) -> None:
    (whole / "config.json").unlink()
    with pytest.raises(ModelNotFound, match=r"it has no config\.json"):
        opened(whole)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "config.json cannot be read"),
        (b'{"model_type": "llama"', "config.json cannot be read"),
        (b"\xff\xfe{}", "config.json cannot be read"),
        (b"[1, 2]", "config.json cannot be read: it is not a JSON object"),
        (b"null", "config.json cannot be read: it is not a JSON object"),
    ],
)
def test_a_config_that_is_no_object(whole: Path, content: bytes, says: str) -> None:
    (whole / "config.json").write_bytes(content)
    found = problems(whole)
    assert len(found) == 1
    assert says in found[0]


def test_an_unknown_family_is_named_with_those_that_are_known(whole: Path) -> None:
    configure(whole, model_type="mamba9")
    with pytest.raises(UnknownFamily) as caught:
        opened(whole)
    message = str(caught.value)
    assert "'mamba9'" in message
    assert all(known in message for known in FAMILIES)


def test_a_config_without_model_type(whole: Path) -> None:
    configure(whole, model_type=None)
    with pytest.raises(CheckpointBroken, match="names no model_type"):
        opened(whole)


def test_a_quantised_checkpoint_is_refused(whole: Path) -> None:
    configure(whole, quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(CheckpointRefused, match="quantization_config"):
        opened(whole)


def test_an_unknown_activation_is_refused(whole: Path) -> None:
    configure(whole, hidden_act="swish9")
    with pytest.raises(CheckpointRefused, match="hidden_act = 'swish9' is not known"):
        opened(whole)


@pytest.mark.parametrize("activation", [["silu"], {}, 3, None])
def test_an_activation_that_is_no_name(whole: Path, activation: object) -> None:
    path = whole / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hidden_act": activation}))
    with pytest.raises(CheckpointRefused, match="hidden_act"):
        opened(whole)


@pytest.mark.parametrize("eps", ["small", [1e-5], {}, True, -1e-5, float("inf")])
def test_an_epsilon_that_is_none(whole: Path, eps: object) -> None:
    configure(whole, rms_norm_eps=eps)
    assert "'rms_norm_eps'" in problems(whole)[0]


def test_heads_that_do_not_share_kv_heads_evenly(whole: Path) -> None:
    configure(whole, num_key_value_heads=3)
    assert problems(whole) == ["n_heads 4 is not a multiple of n_kv_heads 3"]


def test_a_width_that_does_not_divide_into_heads(whole: Path) -> None:
    configure(whole, num_attention_heads=6, head_dim=None)
    assert problems(whole) == ["d_model 32 is not a multiple of n_heads 6"]


@pytest.mark.parametrize("value", ["32", 0, -1, 32.5, True])
def test_sizes_that_are_no_sizes_are_all_named(whole: Path, value: object) -> None:
    configure(whole, hidden_size=value, num_hidden_layers=value)
    found = problems(whole)
    assert any("'hidden_size'" in problem for problem in found)
    assert any("'num_hidden_layers'" in problem for problem in found)


def test_what_a_config_leaves_out_is_what_transformers_assumes(whole: Path) -> None:
    configure(whole, rms_norm_eps=None, num_key_value_heads=None, num_attention_heads=None)
    plan = make_plan(open_source(whole))
    assert plan.settings.number("rms_norm_eps") == LlamaConfig().rms_norm_eps
    assert plan.dims.n_heads == plan.dims.n_kv_heads == LlamaConfig().num_attention_heads


def test_a_missing_shard(shards: Path) -> None:
    shard = files_by_tensor(shards)["model.layers.1.self_attn.v_proj.weight"]
    (shards / shard).unlink()
    assert problems(shards) == [f"{shard} is missing"]


def test_two_missing_shards_are_named_in_one_error(shards: Path) -> None:
    weight_map = files_by_tensor(shards)
    two = {weight_map["model.embed_tokens.weight"], weight_map["lm_head.weight"]}
    assert len(two) == 2
    for shard in two:
        (shards / shard).unlink()
    assert sorted(problems(shards)) == [f"{shard} is missing" for shard in sorted(two)]


def test_a_shard_that_holds_nothing_needed_may_be_missing(shards: Path) -> None:
    digest = opened(shards)
    tensors = load_file(shards / files_by_tensor(shards)["model.norm.weight"])
    weight_map = files_by_tensor(shards)
    save_file({"model.norm.weight": tensors["model.norm.weight"]}, shards / "gone.safetensors")
    weight_map["model.norm.weight"] = "gone.safetensors"
    (shards / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    (shards / "gone.safetensors").unlink()
    assert opened(shards) == digest


def test_an_index_that_promises_what_a_shard_lacks(shards: Path) -> None:
    name = "model.layers.2.self_attn.o_proj.weight"
    shard = files_by_tensor(shards)[name]
    tensors = load_file(shards / shard)
    del tensors[name]
    save_file(tensors, shards / shard)
    assert problems(shards) == [f"{shard} lacks {name}, which the index promises"]


@pytest.mark.parametrize(
    "index",
    [
        "{",
        "{}",
        "[]",
        '{"weight_map": null}',
        '{"weight_map": []}',
        '{"weight_map": {"lm_head.weight": 3}}',
    ],
)
def test_an_index_that_is_none(shards: Path, index: str) -> None:
    (shards / INDEX).write_text(index)
    found = problems(shards)
    assert len(found) == 1
    assert INDEX in found[0]


@pytest.mark.parametrize(
    "shard",
    ["../model.safetensors", "a/b.safetensors", "a\\b", "/etc/passwd", ".", "..", "", "a\x1b]52;c"],
)
def test_a_shard_in_another_folder_is_refused_and_not_asked_for(shards: Path, shard: str) -> None:
    weight_map = files_by_tensor(shards) | {"model.norm.weight": shard}
    (shards / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    asked: list[str] = []

    def fetch(file: str) -> Path:
        asked.append(file)
        return shards / file

    source = Checkpoint("any", None, fetch, lambda file: (shards / file).exists())
    with pytest.raises(CheckpointBroken) as caught:
        source.names()
    assert asked == ["config.json", INDEX]
    [problem] = caught.value.problems
    assert problem == f"{INDEX} names files of other folders: {shard!r}"
    assert "\x1b" not in problem


def test_no_weights_at_all(whole: Path) -> None:
    (whole / "model.safetensors").unlink()
    assert problems(whole) == ["model.safetensors is missing"]


@pytest.mark.parametrize("pickle", ["pytorch_model.bin", "pytorch_model.bin.index.json"])
def test_only_pickled_weights_are_refused(whole: Path, pickle: str) -> None:
    (whole / "model.safetensors").unlink()
    (whole / pickle).write_bytes(b"\x80\x04.")
    with pytest.raises(CheckpointRefused) as caught:
        opened(whole)
    message = str(caught.value)
    assert "pickled weights" in message
    assert f"M.from_pretrained('{whole}').save_pretrained('converted')" in message


def test_broken_safetensors_beside_pickled_weights_are_called_broken(whole: Path) -> None:
    cut(whole / "model.safetensors", 1000)
    (whole / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    assert "model.safetensors is truncated or corrupt" in problems(whole)[0]


def cut(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])


def header_end(path: Path) -> int:
    """Where the data of a safetensors file begins, by the format's own definition."""
    return 8 + int.from_bytes(path.read_bytes()[:8], "little")


@pytest.mark.parametrize("layout", ["whole", "shards"])
def test_a_truncated_file_is_named_wherever_it_ends(
    layout: str, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(layout)
    name = "model.safetensors"
    if layout == "shards":
        name = files_by_tensor(folder)["model.embed_tokens.weight"]
    path = folder / name
    content, data = path.read_bytes(), header_end(path)
    middle = (data + len(content)) // 2
    for length in (0, 1, 7, 8, 9, data // 2, data - 1, data, data + 1, middle, len(content) - 1):
        path.write_bytes(content[:length])
        found = problems(folder)
        assert len(found) == 1, length
        assert f"{name} is truncated or corrupt" in found[0], length


CORRUPT: dict[str, Callable[[bytes], bytes]] = {
    "a header length too large": lambda content: b"\xff" * 7 + b"\x00" + content[8:],
    "a header beyond the file": lambda content: len(content).to_bytes(8, "little") + content[8:],
    "a header that is not JSON": lambda content: content[:8] + b"?" + content[9:],
    "bytes after the last tensor": lambda content: content + b"\x00" * 16,
    "a dtype nobody knows": lambda content: content.replace(b'"F32"', b'"Q99"', 1),
}


@pytest.mark.parametrize("broken", CORRUPT.values(), ids=CORRUPT)
def test_a_corrupt_header(whole: Path, broken: Callable[[bytes], bytes]) -> None:
    path = whole / "model.safetensors"
    path.write_bytes(broken(path.read_bytes()))
    found = problems(whole)
    assert len(found) == 1
    assert "model.safetensors is truncated or corrupt" in found[0]
