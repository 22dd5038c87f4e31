"""node-hl7-client: a registration system's side of MLLP, written by other people in another
language. npm brings it once, as the lock beside `node/feed.cjs` pins it, into `build/peers`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.peers import require

SOURCE = Path(__file__).parent / "node"
INSTALLED = Path(__file__).resolve().parents[2] / "build" / "peers" / "node"
PINNED = ("package.json", "package-lock.json")


def send(port: int, steps: Sequence[Sequence[bytes]], seconds: float = 60.0) -> list[list[str]]:
    """Sends each step once the one before it is answered, several messages as one batch; the
    acknowledgement codes of each step. What the client cannot read as an answer fails the test."""
    asked = {"port": port, "steps": [[m.decode() for m in step] for step in steps]}
    done = subprocess.run(
        [require("node"), str(SOURCE / "feed.cjs")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, "NODE_PATH": str(_modules())},
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert not [line for line in lines if "error" in line]
    return [[line["code"] for line in lines if line["step"] == n] for n in range(len(steps))]


def _modules() -> Path:
    npm = require("npm")
    if not _as_pinned():
        INSTALLED.mkdir(parents=True, exist_ok=True)
        for name in PINNED:
            shutil.copy(SOURCE / name, INSTALLED)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=INSTALLED, capture_output=True, text=True, timeout=300)
        if done.returncode:
            (INSTALLED / PINNED[1]).unlink()
            in_ci = os.environ.get("CI", "").lower() in ("1", "true")
            (pytest.fail if in_ci else pytest.skip)(f"npm cannot bring it:\n{done.stderr[-500:]}")
    return INSTALLED / "node_modules"


def _as_pinned() -> bool:
    """Whether what the lock says is installed, to the end: npm writes its own note last."""
    if not (INSTALLED / "node_modules" / ".package-lock.json").is_file():
        return False
    return all((INSTALLED / n).read_text() == (SOURCE / n).read_text() for n in PINNED)
