"""WADO-RS: fetching an instance back as it was stored (PS3.18 10.4)."""

from __future__ import annotations

import re

from kiosk.delivery.dicomweb.exchange import answered, client, name
from kiosk.delivery.dimse import PeerProblem
from kiosk.policy.sections import Destination

_ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_BOUNDARY = re.compile(r"""boundary=(?:"([^"]{1,200})"|([^;\s]{1,200}))""", re.IGNORECASE)


def fetch(destination: Destination, path: str, most: int, seconds: float) -> bytes:
    """The Part 10 file of the one instance at `path`, within `seconds` and `most` bytes. Raises
    PeerProblem."""
    with client(destination) as http:
        request = http.build_request("GET", path, headers={"Accept": _ACCEPT})
        response, body = answered(destination, http, request, seconds, most)
    if response.status_code != 200:
        raise PeerProblem(
            f"{name(destination)} did not give an image back ({response.status_code}). "
            "See its log.",
            retry=response.status_code >= 500,
        )
    kind = response.headers.get("Content-Type", "")
    if not kind.lower().startswith("multipart/"):
        return body
    found = _BOUNDARY.search(kind)
    return _first_part(body, (found.group(1) or found.group(2)).encode() if found else b"")


def _first_part(body: bytes, boundary: bytes) -> bytes:
    """The content of the first body part (RFC 2046 5.1.1), b"" where there is none."""
    start = body.find(b"--" + boundary)
    content = body.find(b"\r\n\r\n", start)
    end = body.find(b"\r\n--" + boundary, content)
    return body[content + 4 : end] if min(start, content, end) >= 0 else b""
