"""Dying everywhere: `python -m bench.crashes`.

The golden import of tests/crash is killed at every one of its durable steps, and loses the power
before every sync, rename and message, in four states of the disk each; after each of them the
invariants are checked and an engine finishes the work. The tests take a sample of the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ("tests/crash/test_sweep.py", "tests/crash/test_power_loss.py")


def main() -> int:
    begun = time.monotonic()
    command = [sys.executable, "-m", "pytest", *TESTS, "--durations=3"]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ | {"KIOSK_EVERY_STEP": "1"})
    print(f"every step in {time.monotonic() - begun:.0f} s")
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
