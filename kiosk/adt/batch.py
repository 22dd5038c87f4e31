"""Several messages in one frame: a batch, with or without a file around it (HL7 v2 2.10.3).

A batch is answered by one: the acknowledgement of each message, in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from kiosk.adt.ack import Header, now
from kiosk.adt.mllp import Cut, frames, messages, wrap

_ENVELOPES = (b"FHS", b"BHS")


def members(frame: bytes) -> list[bytes]:
    """The messages of a batch, none for an empty one; else the frame itself. A batch that was cut
    for its length is answered whole, as one message."""
    return list(messages(BytesIO(frame))) if is_batch(frame) else [frame]


def is_batch(frame: bytes) -> bool:
    return frame.lstrip()[:3] in _ENVELOPES and not isinstance(frame, Cut)


def batch_answer(frame: bytes, acknowledgements: Sequence[bytes]) -> bytes:
    """The batch that answers this one, framed; `acknowledgements` as `ack` made them. Sender and
    receiver change sides, BHS-12 names the batch that is answered (BHS-11)."""
    header = Header(frame, b"BHS" if b"BHS" in frame[:4096] else b"FHS")
    whole = [message for answer in acknowledgements for message in frames(answer)]
    bhs = [b"BHS", header.encoding, *(header.field(n) for n in (5, 6, 3, 4)), now()]
    bhs += [b"", b"", b"", b"", header.field(11)]
    lines = [
        header.separator.join(bhs).rstrip(header.separator) + b"\r",
        *whole,
        header.separator.join([b"BTS", str(len(whole)).encode()]) + b"\r",
    ]
    return wrap(b"".join(lines))
