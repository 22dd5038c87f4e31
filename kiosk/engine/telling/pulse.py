"""The engine's pulse: whether every loop of it still turns, and what the service manager is told of
that (sd_notify(3)). A loop that hangs is not fed over: systemd then starts the engine anew."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic

QUIET_SECONDS = 120.0  # the longest wait of a loop without a step: a peer's time-outs
STEP_SECONDS = 6 * 3600.0  # of a scratched disc: its reader has limits of its own


class Pulse:
    """Each loop beats once a turn; one that is in a step may take longer."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._turned: dict[str, float] = {}
        self._at_work: dict[str, tuple[str, float]] = {}

    def watch(self, names: Iterable[str]) -> None:
        """These threads have to turn, from now on."""
        self._turned = dict.fromkeys(names, self._clock())

    def beat(self) -> None:
        """The current thread's loop turned."""
        name = threading.current_thread().name
        if name in self._turned:
            self._turned[name] = self._clock()

    @contextmanager
    def at_work(self, step: str) -> Iterator[None]:
        name = threading.current_thread().name
        self._at_work[name] = (step, self._clock())
        try:
            yield
        finally:
            del self._at_work[name]
            self.beat()

    def stuck(self) -> str:
        """The name of a loop that does not turn any more, "" when all do."""
        now = self._clock()
        for name, turned in self._turned.items():
            _, since = self._at_work.get(name, ("", now))
            if now - since > STEP_SECONDS:
                return name
            if name not in self._at_work and now - turned > QUIET_SECONDS:
                return name
        return ""

    def status(self) -> str:
        """What is being done, for `systemctl status`: steps, no names."""
        steps = sorted(step for step, _ in list(self._at_work.values()))
        return f"At work: {', '.join(steps)}" if steps else "Waiting for work"


def tell(*lines: str) -> None:
    """Lines for the service manager that started us; without one nobody is told."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        try:
            line.sendto("\n".join(lines).encode(), address.replace("@", "\0", 1))
        except OSError:
            return  # the manager is being replaced: it asks nothing of us for that long


def seconds_between_beats() -> float:
    """How often the manager wants to hear of us, or often enough to show what is done."""
    asked = os.environ.get("WATCHDOG_USEC", "")
    return min(10.0, int(asked) / 3e6) if asked.isdecimal() else 10.0
