"""The parent's side: asks for pictures, takes them as they come, ends a child that is stuck.

The child answers each picture with two lengths, the picture as JSON without its data, the data.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from kiosk.model.plain import NotPlain, from_plain, to_plain
from kiosk.model.relevance.picture import MOST_BYTES, Asked, Picture
from kiosk.policy.sections import Limits

HEAD = struct.Struct(">II")
LARGEST_SHAPE = 1_000_000  # bytes of JSON: eight tables of 4,096 entries, and room
SECONDS = 15.0  # for one picture; the first one waits for the child's imports, too
START_SECONDS = 60.0

Child = subprocess.Popen[bytes]


class Died(Exception):
    """The child ended, was stuck or talked nonsense before it had made every picture."""


def make(folder: Path, asked: Sequence[Asked], limits: Limits) -> Iterator[Picture]:
    """The pictures in the order asked, from files staged in `folder`. Raises Died."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kiosk.sandbox.pictures.inside", str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a parser's complaints may quote a patient's name
        start_new_session=True,
    )
    try:
        _tell(process, folder, asked, limits)
        patience = START_SECONDS
        for each in asked:
            yield _answer(process, each, patience)
            patience = SECONDS
    finally:
        _end(process)


def _tell(process: Child, folder: Path, asked: Sequence[Asked], limits: Limits) -> None:
    job = {
        "folder": str(folder),
        "memory": limits.child_memory_bytes,
        "seconds": limits.child_cpu_seconds,
        "asked": to_plain(tuple(asked)),
    }
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(job).encode())
        process.stdin.close()
    except BrokenPipeError:
        raise Died from None


def _answer(process: Child, asked: Asked, patience: float) -> Picture:
    assert process.stdout is not None
    deadline = time.monotonic() + patience
    shape, length = HEAD.unpack(_exactly(process.stdout, HEAD.size, deadline))
    if shape > LARGEST_SHAPE or length > 2 * MOST_BYTES:
        raise Died
    text = _exactly(process.stdout, shape, deadline)
    data = _exactly(process.stdout, length, deadline)
    try:
        value = json.loads(text)
        untrusted = from_plain(Picture, {n: v for n, v in value.items() if n != "data"})
    except (ValueError, AttributeError, NotPlain):
        raise Died from None
    if untrusted.position != asked.position or not untrusted.sound:
        raise Died
    return replace(untrusted, data=data)


def _exactly(pipe: IO[bytes], length: int, deadline: float) -> bytes:
    found = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while len(found) < length:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise Died
            chunk = os.read(pipe.fileno(), min(length - len(found), 1 << 20))
            if not chunk:
                raise Died
            found += chunk
    return bytes(found)


def _end(process: Child) -> None:
    """It holds no drive and nothing of ours: killed, whatever it does."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None and not pipe.closed:
            try:
                pipe.close()
            except BrokenPipeError:
                pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
