"""A receiver's process: how it ends, and how the engine keeps it alive."""

from __future__ import annotations

import logging
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from kiosk.engine import Engine

log = logging.getLogger("kiosk.service")

LONGEST_PAUSE = 60.0


def keep_running(words: Sequence[str], config: Path | None, engine: Engine) -> None:
    """Keeps `kiosk WORDS` running in a process of its own, since it reads the wire; returns when
    the engine stops and the receiver has ended."""
    command = [sys.executable, "-m", "kiosk", *words]
    command += ["--config", str(config)] if config else []
    pause = 1.0
    while not engine.stopping:
        with subprocess.Popen(command, stdin=subprocess.PIPE) as receiver:
            while receiver.poll() is None and not engine.stopping:
                engine.wait(0.25)
            receiver.terminate()
        if not engine.stopping:
            name, code = " ".join(words), receiver.poll()
            log.warning("%s ended with %d; again in %.0f s", name, code, pause)
            engine.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


def until_told() -> threading.Event:
    """Set on SIGTERM and SIGINT, and when the engine that started us is gone: its successor will
    want the port."""
    ended = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda _sign, _frame: ended.set())
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=_watch_parent, args=(ended,), name="parent", daemon=True).start()
    return ended


def _watch_parent(ended: threading.Event) -> None:
    """The engine holds the other end of our standard input: it closes when the engine dies."""
    while os.read(0, 1024):
        pass
    ended.set()
