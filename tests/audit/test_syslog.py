"""What is handed to the collector has arrived, or is said not to have."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pydantic import ValidationError

from kiosk.audit import Collector, CollectorAway, frame
from kiosk.policy.sections import Audit, Tls
from tests.peers import LOOPBACK, free_port
from tests.peers.certificates import Authority
from tests.peers.syslog import Repository, repository

AT = "2026-11-24T10:00:00.123+00:00"


def settings_for(running: Repository, authority: Authority) -> Audit:
    own = authority.issue("kiosk")
    tls = Tls(ca=authority.ca, certificate=own.certificate, key=own.key)
    return Audit(host=LOOPBACK, port=running.port, tls=tls)


def frames(settings: Audit, count: int) -> list[bytes]:
    return [frame(f"<A n='{n}'/>".encode(), AT, "kiosk 1", 42, settings) for n in range(count)]


def test_a_frame_is_the_length_and_a_syslog_message() -> None:
    """RFC 5425 4.3, RFC 5424 6; no structured data, no byte order mark."""
    settings = Audit(message_id="IHE+RFC-3881")
    whole = frame("<A>é</A>".encode(), AT, "kiosk 1é", 42, settings)
    length, _, message = whole.partition(b" ")
    assert int(length) == len(message)
    head = f"<85>1 {AT} kiosk-1- kiosk 42 IHE+RFC-3881 - ".encode()
    assert message == head + "<A>é</A>".encode()


def test_messages_arrive_over_tls_with_both_certificates(tmp_path: Path) -> None:
    with repository(tmp_path) as (running, authority):
        settings = settings_for(running, authority)
        collector = Collector(settings)
        collector.send(frames(settings, 3))
        collector.send(frames(settings, 2))
        collector.close()
        arrived = running.wait_for(5)
    assert [m[-len("<A n='0'/>") :] for m in arrived] == [
        f"<A n='{n}'/>".encode() for n in (0, 1, 2, 0, 1)
    ]


def test_a_collector_that_hangs_up_has_not_taken_the_messages(tmp_path: Path) -> None:
    with repository(tmp_path) as (running, authority):
        settings = settings_for(running, authority)
        running.hang_up_after = 1
        collector = Collector(settings)
        with pytest.raises(CollectorAway):
            _send_on(collector, frames(settings, 50))
        running.hang_up_after = 0
        collector.send(frames(settings, 1))
        collector.close()


def _send_on(collector: Collector, batch: list[bytes]) -> None:
    """The first batch may be acknowledged before the other side hangs up, but no later one."""
    for _ in range(100):
        collector.send(batch)


def test_a_stranger_is_told_nothing(tmp_path: Path) -> None:
    """A repository whose certificate another authority signed gets no message."""
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    with repository(tmp_path) as (running, _):
        settings = settings_for(running, other)
        with pytest.raises(CollectorAway, match="certificate verify failed"):
            Collector(settings).send(frames(settings, 1))
    assert running.messages == []


def test_one_that_is_not_there_is_said() -> None:
    settings = Audit(host=LOOPBACK, port=free_port())
    with pytest.raises(CollectorAway, match="refused"):
        Collector(settings).send(frames(settings, 1))


def test_one_that_reads_nothing_has_not_taken_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own system's buffers take some, then no more: the wait has an end."""
    # The patience of half a minute is not what is tested.
    monkeypatch.setattr("kiosk.audit.syslog.CONNECT_SECONDS", 0.2)
    monkeypatch.setattr("kiosk.audit.syslog.DRAIN_SECONDS", 0.2)
    with socket.create_server((LOOPBACK, 0)) as deaf:
        settings = Audit(host=LOOPBACK, port=deaf.getsockname()[1])
        with pytest.raises(CollectorAway):
            Collector(settings).send([bytes(1 << 20)] * 64)


def test_patient_numbers_leave_the_machine_in_tls_only() -> None:
    with pytest.raises(ValidationError, match=r"without tls"):
        Audit(host="audit.example.org")
    assert Audit(host="localhost").tls is None
