"""Fetch the page's three libraries, or check them: `python -m docs.vendor [--check]`.

- without an option: `npm pack` of the pinned versions, each held against npm's own integrity; the
  files below are written to `vendor/`, with a table of what they are, `vendor.json`
- --check: every vendored file still has the digest that the table gives; nothing is fetched
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).parents[1] / "annotator/views/site/page/vendor"
TABLE = "vendor.json"
# name, version, licence, npm's integrity, and which of its files become which of ours
PINNED = (
    (
        *("mithril", "2.3.8", "MIT"),
        "sha512-za/Yo7qXEckjm5syrSfaaI9Utf4tCUT3T1IOIYqH6Lrj7G0OZuYYLAY9SV4ygoaAf0+CNqU92MBt+7pmo53JVQ==",
        {"mithril.min.js": "mithril.min.js", "LICENSE": "mithril-license.txt"},
    ),
    (
        *("d3", "7.9.2", "ISC"),
        "sha512-ZKb/mONPVKzaO5UlcWcwN8bS4ezvQaYu+bsou+XgNABdGC800kwH651ADTbbTxMPHW13UlvbQafdmJQDk1w7Mg==",
        {"dist/d3.min.js": "d3.min.js", "LICENSE": "d3-license.txt"},
    ),
    (
        *("@observablehq/plot", "0.6.17", "ISC"),
        "sha512-/qaXP/7mc4MUS0s4cPPFASDRjtsWp85/TbfsciqDgU1HwYixbSbbytNuInD8AcTYC3xaxACgVX06agdfQy9W+g==",
        {"dist/plot.umd.min.js": "plot.umd.min.js", "LICENSE": "plot-license.txt"},
    ),
)


def fetch() -> None:
    """Write every file of the table, and the table."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    table: list[dict[str, Any]] = []
    for name, version, licence, integrity, names in PINNED:
        with tempfile.TemporaryDirectory() as folder:
            package = _packed(f"{name}@{version}", Path(folder))
            found = _integrity(package)
            if found != integrity:
                sys.exit(f"{name} {version} has the integrity {found}, not the pinned one.")
            with tarfile.open(package) as archive:
                for theirs, ours in names.items():
                    content = archive.extractfile(f"package/{theirs}")
                    assert content, theirs
                    (VENDOR / ours).write_bytes(content.read())
        files = {ours: _digest(VENDOR / ours) for ours in names.values()}
        table.append(
            {
                "name": name,
                "version": version,
                "licence": licence,
                "integrity": integrity,
                "files": files,
            }
        )
    (VENDOR / TABLE).write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


def problems() -> list[str]:
    """What differs from the table, and from the versions pinned here; empty where all is well."""
    table = json.loads((VENDOR / TABLE).read_text(encoding="utf-8"))
    pins = [(one["name"], one["version"], one["integrity"]) for one in table]
    found: list[str] = []
    if pins != [(name, version, integrity) for name, version, _, integrity, _ in PINNED]:
        found.append(f"{TABLE} does not list what is pinned")
    expected = {ours: digest for one in table for ours, digest in one["files"].items()}
    there = {path.name for path in VENDOR.iterdir()} - {TABLE}
    found += [f"{name} is not in {TABLE}" for name in sorted(there - expected.keys())]
    found += [f"{name} is missing" for name in sorted(expected.keys() - there)]
    found += [
        f"{name} was changed"
        for name in sorted(expected.keys() & there)
        if _digest(VENDOR / name) != expected[name]
    ]
    return found


def _packed(spec: str, folder: Path) -> Path:
    """A package as npm has it, unpacked by nobody and none of its scripts run."""
    command = ["npm", "pack", spec, "--ignore-scripts", "--silent", "--pack-destination", folder]
    subprocess.run(command, check=True)
    [package] = folder.glob("*.tgz")
    return package


def _integrity(path: Path) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Fetch or, with --check, check."""
    if sys.argv[1:] != ["--check"]:
        fetch()
    if wrong := problems():
        sys.exit("\n".join([*wrong, "Run `python -m docs.vendor` and read what it changes."]))


if __name__ == "__main__":
    main()
