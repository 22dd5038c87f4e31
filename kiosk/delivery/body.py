"""An instance's bytes on their way out: the new header from memory, the rest from the original."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO

from kiosk.model.delivery import Coerced, CoercionRefused, Outbound

_UID = re.compile(r"[0-9.]{1,64}")


NO_UID = "its UIDs are not valid, so no archive could file it"
UNREADABLE = "the staged file could not be read"
SHORT = "the staged file is shorter than the instance"


def is_uid(text: str) -> bool:
    """Whether archives can file by it: leading zeros and the like they take (PS3.5 9.1)."""
    return _UID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Body:
    """A coerced instance whose original is open and long enough; to be closed when it was sent.
    `length` is the data set's."""

    item: Outbound
    coerced: Coerced
    tail: FileIO

    @property
    def length(self) -> int:
        return len(self.coerced.header) + self.coerced.tail_length

    def close(self) -> None:
        self.tail.close()

    def chunks(self, buffer: memoryview, lead: bytes = b"") -> Iterator[tuple[memoryview, bool]]:
        """`lead` and the data set in pieces that fill `buffer`, each with whether it is the last.
        A piece is valid until the next is asked for. Raises CoercionRefused where the original
        cannot be read to its end.

        Read and not mapped: a medium's error is then an exception and no signal, and a large
        instance does not count as our memory."""
        front = memoryview(lead + self.coerced.header)
        offset, left = self.coerced.tail_offset, self.coerced.tail_length
        last = False
        while not last:
            filled = min(len(front), len(buffer))
            buffer[:filled], front = front[:filled], front[filled:]
            count = _read(self.tail, buffer[filled : filled + left], offset)
            offset, left = offset + count, left - count
            last = not front and not left
            yield buffer[: filled + count], last


def _read(tail: FileIO, into: memoryview, offset: int) -> int:
    done = 0
    try:
        while done < len(into):
            count = os.preadv(tail.fileno(), [into[done:]], offset + done)
            if count == 0:
                raise CoercionRefused(SHORT)
            done += count
    except OSError as e:
        raise CoercionRefused(UNREADABLE) from e
    return done


def opened(item: Outbound) -> Body:
    """`item` coerced and its original open. Raises CoercionRefused when it must not be sent."""
    coerced = item.coerce()
    if not (is_uid(coerced.sop_instance_uid) and is_uid(coerced.sop_class_uid)):
        raise CoercionRefused(NO_UID)
    try:
        tail = FileIO(coerced.tail)
        size = os.fstat(tail.fileno()).st_size
    except OSError as e:
        raise CoercionRefused(UNREADABLE) from e
    if size < coerced.tail_offset + coerced.tail_length:
        tail.close()
        raise CoercionRefused(SHORT)
    return Body(item, coerced, tail)
