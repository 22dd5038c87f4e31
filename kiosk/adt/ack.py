"""The answer to a message: MSH, MSA and ERR, in original and enhanced mode (HL7 v2 chapter 2.9).

Built on the bytes of the message that it answers: its separators and its control id come back as
they were sent, whatever their character set.
"""

from __future__ import annotations

import itertools
import os
import time

from kiosk.adt.mllp import wrap
from kiosk.model.registration import Applied

_NUMBERS = itertools.count(1)
_LONGEST = 250  # of a field that is echoed
_ACCEPT = {"AA": "CA", "AE": "CE", "AR": "CR"}
_ERRORS = {
    100: "Segment sequence error",
    101: "Required field missing",
    102: "Data type error",
    103: "Table value not found",
    200: "Unsupported message type",
    201: "Unsupported event code",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    204: "Unknown key identifier",
    205: "Duplicate key identifier",
    206: "Application record locked",
    207: "Application internal error",
}


def ack(frame: bytes, applied: Applied) -> bytes:
    """What goes back on the wire, framed: one acknowledgement in original mode; in enhanced mode
    the commit and the application acknowledgement that MSH-15 and MSH-16 ask for, or nothing."""
    header = Header(frame)
    accept, application = header.field(15).upper(), header.field(16).upper()
    if not accept and not application:
        return _message(header, applied, applied.ack)
    good = applied.ack == "AA"
    codes = []
    if _wanted(accept, good):
        codes.append(_ACCEPT[applied.ack])
    if _wanted(application, good) and (good or not codes):
        codes.append(applied.ack)
    return b"".join(_message(header, applied, code) for code in codes)


def _wanted(condition: bytes, good: bool) -> bool:
    """HL7 table 0155: AL always, NE never, ER on error, SU on success."""
    return condition == b"AL" or condition == (b"SU" if good else b"ER")


class Header:
    """The first line of what is answered, a message's or a batch's, in bytes."""

    def __init__(self, frame: bytes, segment: bytes = b"MSH") -> None:
        start = frame.find(segment)
        line = frame[start : start + 4096].partition(b"\r")[0].partition(b"\n")[0]
        usable = start >= 0 and len(line) > 3 and not line[3:4].isalnum() and line[3] > 32
        self.separator = line[3:4] if usable else b"|"
        self._fields = line.split(self.separator) if usable else []
        given = self.field(2)
        self.encoding = given if len(given) in (4, 5) else b"^~\\&"

    def field(self, number: int) -> bytes:
        """MSH-`number` as sent, clipped; b"" when absent."""
        at = number - 1
        return self._fields[at].strip()[:_LONGEST] if at < len(self._fields) else b""


def _message(header: Header, applied: Applied, code: str) -> bytes:
    separator, component = header.separator, header.encoding[:1]
    trigger = [*header.field(9).split(component), b""][1]
    kind = component.join([b"ACK", trigger, b"ACK"]) if trigger else b"ACK"
    msh = [b"MSH", header.encoding, *(header.field(n) for n in (5, 6, 3, 4)), now(), b"", kind]
    msh += [_control_id(), header.field(11) or b"P", header.field(12) or b"2.5.1"]
    if header.field(18):
        msh += [b"", b"", b"", b"", b"", header.field(18)]
    segments = [msh, [b"MSA", code.encode(), header.field(10), _plain(applied.reason, header)]]
    if applied.error:
        segments.append(_error(header, applied))
    return wrap(b"".join(separator.join(s).rstrip(separator) + b"\r" for s in segments))


def now() -> bytes:
    """The local time as an HL7 DTM."""
    return time.strftime("%Y%m%d%H%M%S").encode()


def _error(header: Header, applied: Applied) -> list[bytes]:
    component = header.encoding[:1]
    location = component.join(applied.location.encode().split(b"^"))
    words = _ERRORS.get(applied.error, "Error").encode()
    code = component.join([str(applied.error).encode(), words, b"HL70357"])
    reason = _plain(applied.reason, header)
    return [b"ERR", b"", location, code, b"E", b"", b"", b"", reason]


def _plain(text: str, header: Header) -> bytes:
    """Our own sentence without anything that could be taken for a separator."""
    plain = text.encode("ascii", "replace")
    return bytes(c if c not in header.separator + header.encoding else 32 for c in plain)


def _control_id() -> bytes:
    """Unique for this receiver; at most 20 characters (HL7 v2 before 2.7)."""
    return f"{os.getpid() % 65536:X}{time.time_ns() // 1_000_000:X}{next(_NUMBERS):X}"[
        -20:
    ].encode()
