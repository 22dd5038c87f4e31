"""An instance's bytes on their way out: the new header from memory, the rest from the original."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kiosk.model.delivery import Coerced, CoercionRefused, Outbound

_UID = re.compile(r"[0-9.]{1,64}")


NO_UID = "its UIDs are not valid, so no archive could file it"


def is_uid(text: str) -> bool:
    """Whether archives can file by it: leading zeros and the like they take (PS3.5 9.1)."""
    return _UID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Body:
    """A coerced instance whose original is open and long enough. `length` is the data set's."""

    coerced: Coerced
    tail: int  # file descriptor

    @property
    def length(self) -> int:
        return len(self.coerced.header) + self.coerced.tail_length

    def chunks(self, buffer: memoryview, lead: bytes = b"") -> Iterator[tuple[memoryview, bool]]:
        """`lead` and the data set in pieces that fill `buffer`, each with whether it is the last.
        A piece is valid until the next is asked for. Raises OSError.

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


def _read(descriptor: int, into: memoryview, offset: int) -> int:
    done = 0
    while done < len(into):
        count = os.preadv(descriptor, [into[done:]], offset + done)
        if count == 0:
            raise OSError("the staged file became shorter")
        done += count
    return done


@contextmanager
def opened(item: Outbound) -> Iterator[Body]:
    """Coerces `item` and opens its original. Raises CoercionRefused when it must not be sent."""
    coerced = item.coerce()
    if not (is_uid(coerced.sop_instance_uid) and is_uid(coerced.sop_class_uid)):
        raise CoercionRefused(NO_UID)
    try:
        with coerced.tail.open("rb", buffering=0) as tail:
            if os.fstat(tail.fileno()).st_size < coerced.tail_offset + coerced.tail_length:
                raise CoercionRefused("the staged file is shorter than the instance")
            yield Body(coerced, tail.fileno())
    except OSError as e:
        raise CoercionRefused("the staged file could not be read") from e
