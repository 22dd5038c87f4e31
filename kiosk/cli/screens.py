"""`kiosk ui`: a desk's window on this station's store, with an engine beside it if none runs."""

from __future__ import annotations

import getpass
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from kiosk.cli import check
from kiosk.cli.context import Context, fail
from kiosk.desk import Desk, Operator, Role
from kiosk.desk.snapshots import HealthLine, Mood
from kiosk.engine import AlreadyRunning, alone

ROLES = {"touch": Role.FRONT_DESK, "him": Role.HIM, "it": Role.IT}
MOODS = {check.PASS: Mood.GOOD, check.WARN: Mood.CARE, check.FAIL: Mood.STOP}
DRAIN_SECONDS = 60.0


def open_desk(context: Context, role: Role, name: str) -> Desk:
    """The desk of one operator on this station."""

    def checks() -> Iterator[HealthLine]:
        for line in check.run(context):
            yield HealthLine(line.name, MOODS[line.state], line.meaning, line.fix)

    operator = Operator(name, role)
    return Desk(context.store, context.policy, operator, context.store.now, checks)


def run(context: Context, which: str, language: str) -> int:
    """Shows the desk until its window is closed; Qt's exit code."""
    if which not in ROLES:
        fail(f"There is no desk called {which}. Use one of: {', '.join(ROLES)}.", code=2)
    # Qt is needed here only: an engine on a machine without a display never loads it.
    from kiosk import ui

    desk = open_desk(context, ROLES[which], getpass.getuser())
    with engine_beside(context):
        return ui.run(desk, which, language)


@contextmanager
def engine_beside(context: Context) -> Iterator[None]:
    """An engine as a child process for the length of the block, unless one runs already; it
    writes its log into the state folder."""
    try:
        with alone(context.state):
            pass  # free: the child takes it
    except AlreadyRunning:
        yield
        return
    command = [sys.executable, "-m", "kiosk", "engine"]
    command += ["--config", str(context.config)] if context.config else []
    log = (context.state / "engine.log").open("ab")
    with log, subprocess.Popen(command, stdout=log, stderr=log) as engine:
        try:
            yield
        finally:
            engine.terminate()
            try:
                engine.wait(DRAIN_SECONDS)
            except subprocess.TimeoutExpired:
                engine.kill()
