"""The child's side: told its parent, a folder, two bounds and a syntax, then one job a line on
standard input. Imports come before the lock, hostile bytes after it."""

from __future__ import annotations

import json
import os
import sys
from typing import BinaryIO

from kiosk.coercion import transcoding
from kiosk.coercion.encoding.elements import Malformed
from kiosk.model.plain import from_plain
from kiosk.sandbox.decoding.parent import DONE, FRAME, NO
from kiosk.sandbox.lock import die_with, limit, lock_in

# What the decoders and pydicom's reading of fragments raise on bytes that are not what they should.
DAMAGED = (Malformed, ValueError, RuntimeError, LookupError, TypeError, OSError, MemoryError)


def main() -> int:
    parent, folder, memory, seconds, syntax = sys.argv[1:]
    transcoding.load(syntax)
    die_with(int(parent))
    limit(int(memory), int(seconds), writes=False)
    lock_in(readable=[], writable=[], also_readable=[folder])
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a stray print must not corrupt the answer
    for line in sys.stdin.buffer:
        _answer(from_plain(transcoding.Encapsulated, json.loads(line)), pipe)
    return 0


def _answer(pixels: transcoding.Encapsulated, pipe: BinaryIO) -> None:
    try:
        for frame in transcoding.frames(pixels):
            pipe.write(FRAME.pack(len(frame)))
            pipe.write(frame)
        pipe.write(FRAME.pack(DONE))
    except DAMAGED:
        pipe.write(FRAME.pack(NO))
    pipe.flush()


if __name__ == "__main__":
    sys.exit(main())
