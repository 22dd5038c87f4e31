"""A receiver's process: how it ends, and how the engine keeps it alive."""

from __future__ import annotations

import logging
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from kiosk.policy import Policy

log = logging.getLogger("kiosk.service")

LONGEST_PAUSE = 60.0


class Service(Protocol):
    """What the receivers belong to: they end with it."""

    @property
    def stopping(self) -> bool: ...

    def wait(self, seconds: float) -> None: ...


class Alone:
    """The receivers as a service of their own: it ends when it is told to."""

    def __init__(self, told: threading.Event) -> None:
        self._told = told

    @property
    def stopping(self) -> bool:
        return self._told.is_set()

    def wait(self, seconds: float) -> None:
        self._told.wait(seconds)


def receivers(policy: Policy) -> Iterator[tuple[str, ...]]:
    """The command of each receiver that is switched on."""
    if policy.adt.enabled:
        yield "adt", "listen"
    if policy.inbound.enabled or policy.inbound.reports:
        yield "inbound", "listen"
    if policy.stow.enabled:
        yield "inbound", "stow"
    if policy.folders.watched:
        yield "inbound", "watch"


def tend(service: Service, policy: Policy, config: Path | None) -> list[threading.Thread]:
    """Keeps every receiver that is switched on running: a thread each, which ends when the service
    stops and the receiver has ended."""
    threads = [
        threading.Thread(target=keep_running, args=(words, config, service))
        for words in receivers(policy)
    ]
    for thread in threads:
        thread.start()
    return threads


def keep_running(words: Sequence[str], config: Path | None, engine: Service) -> None:
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
