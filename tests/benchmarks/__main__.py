"""Every benchmark, each in a process of its own, so that each has a peak memory of its own.

python -m tests.benchmarks [--small]
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    failed: list[str] = []
    for name in sorted(file.stem for file in Path(__file__).parent.glob("bench_*.py")):
        start = time.perf_counter()
        print(f"-- {name}", flush=True)
        command = [sys.executable, "-m", f"tests.benchmarks.{name}", *sys.argv[1:]]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
        print(f"-- {name} took {time.perf_counter() - start:.0f} s", flush=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
