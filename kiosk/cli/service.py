"""`kiosk engine` and `kiosk ui`: the service in the foreground with the receivers that it watches,
and a desk's window, with an engine beside it if none runs."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kiosk import sandbox
from kiosk.cli import check
from kiosk.cli.context import Context, fail, say
from kiosk.cli.receiving import tend
from kiosk.desk import Desk, Operator, Role
from kiosk.desk.snapshots import HealthLine, Mood
from kiosk.engine import AlreadyRunning, Engine, Site, alone

ROLES = {"touch": Role.FRONT_DESK, "him": Role.HIM, "it": Role.IT}
MOODS = {check.PASS: Mood.GOOD, check.WARN: Mood.CARE, check.FAIL: Mood.STOP}
DRAIN_SECONDS = 60.0


def run_engine(context: Context, beside: bool = False, receivers_apart: bool = False) -> None:
    """Works until SIGTERM or SIGINT, then drains: a sender ends after the image it is at. One that
    was started `beside` a screen also ends with it: the screen holds the other end of its input."""
    engine = Engine(Site(context.store, context.vault, context.policy, context.store.now))
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda _sign, _frame: engine.stop())
    if beside:
        threading.Thread(target=_end_with_the_screen, args=(engine,), daemon=True).start()
    try:
        with alone(context.state):
            engine.recover()
            apart = receivers_apart
            receivers = [] if apart else tend(engine, context.policy, context.config)
            say(f"The engine of {context.policy.site.station} is running.")
            with sandbox.warm():
                engine.run()
            for receiver in receivers:
                receiver.join()
    except AlreadyRunning:
        fail("An engine is already running for this kiosk. Stop it first, or leave it to work.")


def _end_with_the_screen(engine: Engine) -> None:
    while os.read(0, 1024):
        pass
    engine.stop()


# -- the desks ---------------------------------------------------------------------------------


def open_desk(context: Context, role: Role | None, name: str) -> Desk:
    """The desk of one operator on this station; without a role of whoever signs in at it."""

    def checks() -> Iterator[HealthLine]:
        for line in check.run(context):
            yield HealthLine(line.name, MOODS[line.state], line.meaning, line.fix)

    operator = Operator(name, role)
    return Desk(context.store, context.policy, operator, context.store.now, checks)


def run_desk(context: Context, which: str, language: str) -> int:
    """Shows the desk until its window is closed; Qt's exit code."""
    if which not in ROLES:
        fail(f"There is no desk called {which}. Use one of: {', '.join(ROLES)}.", code=2)
    # Qt is needed here only: an engine on a machine without a display never loads it.
    from kiosk import ui

    signs_in = context.policy.sign_in.required
    role, name = (None, "") if signs_in else (ROLES[which], getpass.getuser())
    desk = open_desk(context, role, name)
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
    command = [sys.executable, "-m", "kiosk", "engine", "--beside"]
    command += ["--config", str(context.config)] if context.config else []
    log = (context.state / "engine.log").open("ab")
    with log, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log) as engine:
        try:
            yield
        finally:
            engine.terminate()
            try:
                engine.wait(DRAIN_SECONDS)
            except subprocess.TimeoutExpired:
                engine.kill()
