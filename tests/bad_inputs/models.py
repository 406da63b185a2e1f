"""Models that cannot be mapped."""

from __future__ import annotations

import json

import torch
from safetensors.torch import load_file, save_file

from tests import tiny
from tests.bad_inputs.case import BadInput, Make, Place

MAP = "map model --out out"
CLIPBOARD = "\x1b]52;c;ZXZpbA==\x07"


def config(**changes: object) -> Make:
    """Change values of config.json."""
    return lambda place: place.configure(**changes)


def holds(name: str, content: str | bytes) -> Make:
    """Have a file of the model hold this."""
    return lambda place: (place.model, place.write(f"model/{name}", content))


def _cut(place: Place) -> None:
    path = place.model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def _nan(place: Place) -> None:
    file = place.model / "model.safetensors"
    tensors = load_file(file)
    tensors["model.layers.1.self_attn.v_proj.weight"][3, 5] = float("nan")
    save_file(tensors, file)


def _misshapen(place: Place) -> None:
    file = place.model / "model.safetensors"
    tensors = load_file(file)
    tensors["model.layers.0.self_attn.o_proj.weight"] = torch.zeros(3, 5)
    del tensors["model.layers.2.self_attn.v_proj.weight"]
    save_file(tensors, file)


def _without_shard(place: Place) -> None:
    folder = tiny.save(place.folder / "shards", tiny.llama(), max_shard_size="20KB")
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    (folder / index["weight_map"]["model.layers.2.self_attn.o_proj.weight"]).unlink()


def _shards_elsewhere(place: Place) -> None:
    (place.model / "model.safetensors").unlink()
    shards = {"model.norm.weight": f"../{CLIPBOARD}.safetensors"}
    place.write("model/model.safetensors.index.json", json.dumps({"weight_map": shards}))


def _pickled(place: Place) -> None:
    (place.model / "model.safetensors").rename(place.model / "pytorch_model.bin")


def _without_tokenizer(place: Place) -> None:
    (place.model / "tokenizer.json").unlink()


def _tokenizer_with_code(place: Place) -> None:
    _without_tokenizer(place)
    tiny.tokenizer().model.save(str(place.model))
    place.write("model/own.py", "raise SystemExit('was run')")
    wanted = {"auto_map": {"AutoTokenizer": ["own.Own", None]}, "tokenizer_class": "Own"}
    place.write("model/tokenizer_config.json", json.dumps(wanted))


MODELS = [
    BadInput("no such path", "map ./nowhere --out out"),
    BadInput("no such path, and no way to the hub", "map owner/name --out out"),
    BadInput(
        "a folder without a model", "map empty --out out", lambda p: (p.folder / "empty").mkdir()
    ),
    BadInput(
        "a file of another kind", "map notes.txt --out out", lambda p: p.write("notes.txt", "")
    ),
    BadInput("an unknown architecture", MAP, config(model_type="mamba9")),
    BadInput("a quantised checkpoint", MAP, config(quantization_config={"quant_method": "gptq"})),
    BadInput("a setting that is not known to be without effect", MAP, config(clip_qkv=8.0)),
    BadInput("sizes that do not fit", MAP, config(num_attention_heads=5)),
    BadInput("weights that were pickled", MAP, _pickled),
    BadInput("a file that is cut", MAP, _cut),
    BadInput("tensors that are missing or of another shape", MAP, _misshapen),
    BadInput("values that are not finite", MAP, _nan),
    BadInput("a shard that is missing", "map shards --out out", _without_shard),
    BadInput("a shard in another folder, with a terminal's commands", MAP, _shards_elsewhere),
    BadInput("no tokenizer", MAP, _without_tokenizer),
    BadInput("a tokenizer that is none", MAP, holds("tokenizer.json", "{}")),
    BadInput("a tokenizer that wants its code to be run", MAP, _tokenizer_with_code),
    BadInput("a GGUF file that is none", "map m.gguf --out out", lambda p: p.write("m.gguf", "no")),
    BadInput("a device that is none", f"{MAP} --device gpu"),
    BadInput("an option that is not offered", f"{MAP} --dtype int8", code=2),
    BadInput("a head that the model does not have", "row model L9H0 '#5'"),
    BadInput("a head's name that is none", "row model 9.0 '#5'"),
    BadInput("a text that is not one token", "row model L0H0 'two words'"),
]
