"""`kiosk engine`: the service in the foreground, with the receivers it starts and watches."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from pathlib import Path

from kiosk.cli.context import Context, fail, say
from kiosk.engine import AlreadyRunning, Engine, Site, alone

log = logging.getLogger("kiosk.service")

LONGEST_PAUSE = 60.0


def run(context: Context) -> None:
    """Works until SIGTERM or SIGINT, then drains: a sender ends after the image it is at."""
    engine = Engine(Site(context.store, context.vault, context.policy, context.store.now))
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda _sign, _frame: engine.stop())
    try:
        with alone(context.state):
            engine.recover()
            receiver = threading.Thread(target=_watch_receiver, args=(context.config, engine))
            if context.policy.adt.enabled:
                receiver.start()
            say(f"The engine of {context.policy.site.station} is running.")
            engine.run()
            if receiver.is_alive():
                receiver.join()
    except AlreadyRunning:
        fail("An engine is already running for this kiosk. Stop it first, or leave it to work.")


def _watch_receiver(config: Path | None, engine: Engine) -> None:
    """Keeps the ADT receiver running, in a process of its own: it reads the wire."""
    command = [sys.executable, "-m", "kiosk", "adt", "listen"]
    command += ["--config", str(config)] if config else []
    pause = 1.0
    while not engine.stopping:
        with subprocess.Popen(command, stdin=subprocess.PIPE) as receiver:
            while receiver.poll() is None and not engine.stopping:
                engine.wait(0.25)
            receiver.terminate()
        if not engine.stopping:
            log.warning("the ADT receiver ended with %d; again in %.0f s", receiver.poll(), pause)
            engine.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
