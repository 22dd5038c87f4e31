"""The tests keep their own rules: real parts, no sleeps, a sentence each."""

from __future__ import annotations

import ast
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import is_local

TESTS = Path(__file__).resolve().parent

# What a test may not use, and what it should do instead.
BANNED = {
    "time.sleep": "wait on a condition, a socket or an event",
    "asyncio.sleep": "wait on a condition, a socket or an event",
    "qtbot.wait": "use qtbot.waitUntil or waitSignal",
    "QTest.qWait": "use qtbot.waitUntil or waitSignal",
    "unittest.mock": "use the real part",
    "mock": "use the real part",
    "pytest.mark.skip": "mend it, or remove it",
    "pytest.mark.xfail": "mend it, or remove it",
}
# (file below tests/, what) -> why it has to be.
ALLOWED: dict[tuple[str, str], str] = {}


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def names_used(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every dotted name in the module, imports written out as the names they bind."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.lineno, dotted(node)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def offences(path: Path, where: str) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for line, name in names_used(tree):
        for banned, instead in BANNED.items():
            hit = name == banned or name.startswith(f"{banned}.")
            if hit and (where, banned) not in ALLOWED:
                yield f"{where}:{line}: {banned}: {instead}"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            words = node.name.removeprefix("test_").split("_")
            if len(words) < 4 and not ast.get_docstring(node):
                yield f"{where}:{node.lineno}: {node.name}: say in a sentence what holds"


def test_every_test_keeps_the_rules() -> None:
    found = [
        offence
        for path in sorted(TESTS.rglob("*.py"))
        for offence in offences(path, path.relative_to(TESTS).as_posix())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import time\ntime.sleep(1)\n", "time.sleep"),
        ("from time import sleep\n", "time.sleep"),
        ("from unittest import mock\n", "unittest.mock"),
        ("from unittest.mock import Mock\n", "unittest.mock"),
        ("import pytest\n@pytest.mark.xfail\ndef test_a_b_c_d():\n    pass\n", "pytest.mark.xfail"),
        ("def test_it():\n    pass\n", "say in a sentence"),
    ],
)
def test_the_checker_finds_a_planted_offence(tmp_path: Path, source: str, says: str) -> None:
    planted = tmp_path / "test_planted.py"
    planted.write_text(source)
    assert any(says in offence for offence in offences(planted, planted.name))


def test_every_exception_to_the_rules_is_still_needed() -> None:
    for where, banned in ALLOWED:
        used = {name for _, name in names_used(ast.parse((TESTS / where).read_text()))}
        assert any(name == banned or name.startswith(f"{banned}.") for name in used), where


def test_a_declared_log_record_passes(expected_logs: Callable[..., None]) -> None:
    expected_logs("WARNING kiosk.trial: the disc is dusty")
    logging.getLogger("kiosk.trial").warning("the disc is dusty")


def run_pytest_on(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    """A session of its own under the same rules: what must fail cannot be shown in ours."""
    (folder / "conftest.py").write_text((TESTS / "conftest.py").read_text())
    (folder / "test_planted.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


PLANTED = {
    "log": (
        "import logging; logging.getLogger('x').error('boom')",
        "logged without being declared",
    ),
    "network": (
        "import contextlib, socket\n"
        "    with contextlib.suppress(RuntimeError):\n"
        "        socket.socket().connect(('192.0.2.1', 9))",
        "not on the loopback interface",
    ),
    "child": (
        "import subprocess; subprocess.Popen(['cat'], stdin=subprocess.PIPE)",
        "LEFT BEHIND",
    ),
    "orphan": (
        "import os; os.system('tail -f /dev/null >/dev/null 2>&1 &')",
        "LEFT BEHIND",
    ),
}


@pytest.mark.parametrize(("body", "says"), PLANTED.values(), ids=PLANTED)
def test_a_session_that_breaks_a_rule_fails(tmp_path: Path, body: str, says: str) -> None:
    ended = run_pytest_on(tmp_path, f"def test_it():\n    {body}\n")
    assert ended.returncode == 1
    assert says in ended.stdout + ended.stderr


def test_a_connection_to_another_machine_is_refused_before_it_is_made() -> None:
    assert [is_local(h) for h in ("127.0.0.1", "127.8.8.8", "::1", "localhost")] == [True] * 4
    assert not any(is_local(h) for h in ("", "0.0.0.0", "192.0.2.1", "::", "example.org"))
