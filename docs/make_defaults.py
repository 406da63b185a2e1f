"""Write what transformers' config classes assume; --check only says whether it is up to date.

The table reads them from the file, so that opening a model does not import transformers.
"""

from __future__ import annotations

import json
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import annotator.weights.families as table

FILE = Path(table.__file__).with_name("defaults.json")


def content() -> str:
    """One line for each model_type: its config keys with defaults, and its keys' other names."""
    from transformers import CONFIG_MAPPING, PreTrainedConfig

    common = {field.name for field in fields(PreTrainedConfig)}
    rows: list[str] = []
    for model_type in sorted(table.FAMILIES):
        config: Any = CONFIG_MAPPING[model_type]
        defaults = {
            field.name: None if field.default is MISSING else field.default
            for field in fields(config)
            if field.name not in common and isinstance(field.default, str | int | float | None)
        }
        row = {"defaults": defaults, "names": config.attribute_map}
        rows.append(f"  {json.dumps(model_type)}: {json.dumps(row)}")
    return "{\n" + ",\n".join(rows) + "\n}\n"


def main() -> int:
    """Write the file, or with --check compare it."""
    if "--check" not in sys.argv:
        FILE.write_text(content(), encoding="utf-8")
        return 0
    if FILE.is_file() and FILE.read_text(encoding="utf-8") == content():
        return 0
    print(f"{FILE} is out of date: run python -m docs.make_defaults", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
