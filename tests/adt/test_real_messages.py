"""Every HL7 message of public test suites is an event or a refusal with its reason: none lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from kiosk.adt import Rejected, ack, messages
from kiosk.adt.mllp import frames
from kiosk.model.registration import Applied, Disposition, Effect
from tests.adt.messages import parse


@pytest.fixture(scope="module")
def real(corpus: Path) -> list[tuple[str, bytes]]:
    found = []
    for path in sorted((corpus / "hl7").rglob("*.hl7")):
        with path.open("rb") as stream:
            found += [(path.name, raw) for raw in messages(stream)]
    return found


def test_every_message_is_an_event_or_refused_with_a_code_and_a_place(
    real: list[tuple[str, bytes]],
) -> None:
    counts: Counter[str] = Counter()
    for name, raw in real:
        try:
            event = parse(raw, default_authority="HOSP")
        except Rejected as e:
            applied = e.applied
            assert applied.ack in ("AE", "AR"), name
            assert applied.error, name
            assert applied.location, name
            assert applied.reason, name
            counts["refused"] += 1
        else:
            assert event.trigger, name
            assert event.patients or event.effect is Effect.NONE, name
            counts["event"] += 1
    assert counts["event"] >= 439
    assert counts.total() == len(real)


def test_every_file_gives_at_least_one_message(corpus: Path, real: list[tuple[str, bytes]]) -> None:
    assert {p.name for p in (corpus / "hl7").rglob("*.hl7")} == {name for name, _ in real}


def test_every_message_is_answered_with_its_own_control_id(real: list[tuple[str, bytes]]) -> None:
    for name, raw in real:
        header = raw[raw.find(b"MSH") :].replace(b"\n", b"\r").split(b"\r")[0]
        sent = [*header.split(header[3:4]), *[b""] * 17]
        if sent[14] or sent[15] or len(header) < 9:
            continue  # enhanced mode, or no header to speak of
        (answer,) = frames(ack(raw, Applied(Disposition.APPLIED)))
        msa = answer.split(b"\r")[1].split(header[3:4])
        assert msa[:2] == [b"MSA", b"AA"], name
        assert (msa[2] if len(msa) > 2 else b"") == sent[9].strip()[:250], name
