"""Children that are started before there is a job for them, so that nobody waits for their imports.

Each is used once, like any other: what hostile bytes did to it ends with it.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

AHEAD = "--ahead"

Child = subprocess.Popen[bytes]


def spawn(*words: str) -> Child:
    """A child that waits for its job on its standard input."""
    return subprocess.Popen(
        [sys.executable, "-m", "kiosk.sandbox.inside", str(os.getpid()), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a parser's complaints may quote a patient's name
        start_new_session=True,
    )


class _Ahead:
    """One child ready at a time. They are started by a thread that outlives them all: the kernel
    ends a child with the thread that started it (PR_SET_PDEATHSIG)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready: Child | None = None
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._wanted.put(True)
        self._thread = threading.Thread(target=self._start, name="sandbox", daemon=True)
        self._thread.start()

    def _start(self) -> None:
        while self._wanted.get():
            child = spawn(AHEAD)
            with self._lock:
                self._ready = child

    def take(self) -> Child | None:
        """The one that is ready, if there is one and it lives; the next is started."""
        with self._lock:
            child, self._ready = self._ready, None
        if child is None:
            return None
        self._wanted.put(True)
        if child.poll() is None:
            return child
        dismiss(child)
        return None

    def close(self) -> None:
        self._wanted.put(False)
        self._thread.join()
        if self._ready is not None:
            dismiss(self._ready)


def dismiss(child: Child) -> None:
    """Ends a child that got no job."""
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    child.kill()
    child.wait()


_ahead: _Ahead | None = None


@contextmanager
def warm() -> Iterator[None]:
    """While it lasts a child stands ready for the next job of this process."""
    global _ahead
    if _ahead is not None:
        yield
        return
    _ahead = _Ahead()
    try:
        yield
    finally:
        ahead, _ahead = _ahead, None
        ahead.close()


def ready() -> Child | None:
    """The child that stands ready, None where there is none."""
    return _ahead.take() if _ahead is not None else None
