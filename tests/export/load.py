"""Load every config of a dataset as `datasets` does, offline, and write down what it is.

Run as a program: FOLDER CACHE OUT CONFIG... The environment says that there is no network; a
socket that is opened all the same is an error.
"""

from __future__ import annotations

import pickle
import socket
import sys
from pathlib import Path
from typing import Any


def refused(*_: Any, **__: Any) -> None:
    raise AssertionError("a connection was opened")


def main(folder: str, cache: str, out: str, *configs: str) -> None:
    from datasets import get_dataset_config_names, load_dataset

    socket.socket.connect = refused
    found: dict[str, Any] = {}
    for config in configs:
        loaded = load_dataset(folder, config, cache_dir=cache)
        (split,) = loaded
        rows = loaded[split]
        found[config] = (split, {n: str(f) for n, f in rows.features.items()}, rows.to_list())
    default = load_dataset(folder, cache_dir=cache)["train"].to_list()
    names = get_dataset_config_names(folder)
    Path(out).write_bytes(pickle.dumps((names, default, found)))


if __name__ == "__main__":
    main(*sys.argv[1:])
