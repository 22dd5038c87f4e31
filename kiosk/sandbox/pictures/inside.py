"""The child's side. `python -m kiosk.sandbox.pictures.inside PARENT_PID`, the job as JSON on
standard input. Imports come before the lock, hostile bytes after it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import BinaryIO

from kiosk.fileset import pictures
from kiosk.model.plain import from_plain, to_plain
from kiosk.model.relevance.picture import Asked, Picture
from kiosk.sandbox.lock import die_with, limit, lock_in
from kiosk.sandbox.pictures.parent import HEAD


def main() -> int:
    job = json.loads(sys.stdin.buffer.read())
    asked = [from_plain(Asked, each) for each in job["asked"]]
    pictures.load(each.transfer_syntax_uid for each in asked)
    die_with(int(sys.argv[1]))
    limit(job["memory"], job["seconds"], writes=False)
    lock_in(readable=[], writable=[], also_readable=[job["folder"]])
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a stray print must not corrupt the answer
    for each in asked:
        _say(pipe, pictures.make(Path(job["folder"]), each))
    return 0


def _say(pipe: BinaryIO, made: Picture) -> None:
    shape = {name: to_plain(getattr(made, name)) for name in Picture.__slots__ if name != "data"}
    text = json.dumps(shape).encode()
    pipe.write(HEAD.pack(len(text), len(made.data)) + text + made.data)
    pipe.flush()


if __name__ == "__main__":
    sys.exit(main())
