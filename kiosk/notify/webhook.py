"""Signed JSON for whatever a hospital has of its own.

`X-Kiosk-Signature` is `sha256=` and the HMAC-SHA256, in hex, over `X-Kiosk-Timestamp`, a dot and
the body: the receiver can tell that it is ours, and that it is not an old one sent again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from kiosk.notify import web
from kiosk.notify.notice import Away, Notice, secret
from kiosk.policy.receivers import Receiver


def tell(receiver: Receiver, notice: Notice) -> None:
    key = secret(receiver.secret_file)
    if not key:
        raise Away("its secret_file is empty")
    body = json.dumps(document(notice), ensure_ascii=False, sort_keys=True).encode()
    stamp = str(int(datetime.now(UTC).timestamp()))
    headers = {
        "Content-Type": "application/json",
        "X-Kiosk-Timestamp": stamp,
        "X-Kiosk-Signature": f"sha256={signature(key, stamp, body)}",
    }
    web.send(receiver, "POST", receiver.url, body, headers)


def signature(key: str, stamp: str, body: bytes) -> str:
    return hmac.new(key.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def document(notice: Notice) -> dict[str, Any]:
    """The local patient by number, never by name."""
    patient = notice.patient.identifier
    return {
        "id": notice.id,
        "topic": notice.topic.value,
        "at": notice.at,
        "ticket": notice.ticket,
        "patient": {"value": patient.value, "issuer": patient.issuer},
        "study_instance_uid": notice.study_instance_uid,
        "study_date": notice.study_date,
        "accession_number": notice.accession_number,
        "modalities": list(notice.modalities),
        "images": notice.images,
        "expected": notice.expected,
        "institution": notice.institution,
        "archives": list(notice.archives),
        "problem": notice.problem,
        "words": notice.sentence,
        "site": notice.site,
        "station": notice.station,
    }
