"""The journal reaches the audit record repository, in order, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

from kiosk.cli.context import Context
from kiosk.cli.proving import audit
from kiosk.engine.parts import Site
from kiosk.engine.telling.auditing import MARK, Auditor, started
from kiosk.policy.sections import Audit, Destination, Tls
from tests.audit.schema import validated
from tests.engine.conftest import Station, policy_for
from tests.peers import LOOPBACK
from tests.peers.orthanc import orthanc
from tests.peers.syslog import Repository, repository


def auditor_of(here: Station) -> Auditor:
    return Auditor(Site(here.rows, here.vault, here.policy, lambda: here.at))


def audit_to(running: Repository, folder: Path) -> Audit:
    certificate = Tls(
        ca=folder / "authority.pem",
        certificate=folder / "kiosk.pem",
        key=folder / "kiosk.key",
    )
    return Audit(host=LOOPBACK, port=running.port, tls=certificate)


def events(messages: list[bytes]) -> list[str]:
    found = [validated(m[m.index(b"<AuditMessage") :]) for m in messages]
    return [_event(each) for each in found]


def _event(message: ET.Element) -> str:
    event = message.find("EventIdentification/EventID")
    assert event is not None
    return event.attrib["csd-code"]


def test_an_import_is_told_from_the_disc_to_the_archive(
    tmp_path: Path, here: Station, known: Path
) -> None:
    (tmp_path / "orthanc").mkdir()
    (tmp_path / "tls").mkdir()
    with (
        orthanc(tmp_path / "orthanc") as archive,
        repository(tmp_path / "tls") as (running, authority),
    ):
        authority.issue("kiosk")
        target = Destination(
            name="PACS", port=archive.port, ae_title=archive.ae_title, commitment=False
        )
        here.use(policy_for(target, audit=audit_to(running, tmp_path / "tls")))
        here.register()
        here.insert(known)
        here.work()
        auditor = auditor_of(here)
        while auditor.tend():
            pass
        auditor.close()
        messages = running.wait_for(6)
    codes = events(messages)
    # one import; the matcher's decision; two studies begun and sent
    assert sorted(codes) == ["110102", "110102", "110103", "110104", "110104", "110107"]
    assert codes.index("110107") < codes.index("110103") < codes.index("110102")
    with here.rows.read() as tx:
        assert tx.mark(here.policy.site.station, MARK) == tx.journal.last_id()
    assert not any(b"Archibald" in m or b"ARCHIBALD" in m for m in messages)


def test_while_the_repository_is_away_nothing_is_lost(
    tmp_path: Path,
    here: Station,
    known: Path,
    expected_logs: Callable[..., None],
) -> None:
    with repository(tmp_path) as (gone, authority):
        authority.issue("kiosk")
        here.use(policy_for(*here.policy.destination, audit=audit_to(gone, tmp_path)))
    here.insert(known)
    here.work()
    auditor = auditor_of(here)
    expected_logs(r"the audit repository does not take messages \(.*refused")
    assert not auditor.tend()
    with here.rows.read() as tx:
        assert tx.mark(here.policy.site.station, MARK) == 0
    with repository(tmp_path) as (running, authority):
        authority.issue("kiosk")
        here.use(policy_for(*here.policy.destination, audit=audit_to(running, tmp_path)))
        auditor = auditor_of(here)
        while auditor.tend():
            pass
        auditor.close()
        assert "110107" in events(running.wait_for(1))


def test_a_start_under_another_policy_is_a_security_alert(here: Station) -> None:
    started(Site(here.rows, here.vault, here.policy, lambda: here.at))
    started(Site(here.rows, here.vault, here.policy, lambda: here.at))
    changed = policy_for(Destination(name="OTHER", port=1))
    started(Site(here.rows, here.vault, changed, lambda: here.at))
    with here.rows.read() as tx:
        kinds = [event.kind for event in tx.journal.since(0)]
    assert kinds == ["engine.started"] * 3 + ["policy.changed"]


def test_an_export_of_one_patient_has_their_cases_and_no_others(
    here: Station, known: Path, unsure: Path
) -> None:
    here.register()
    first, second = here.insert(known), here.insert(unsure)
    here.work()
    local = here.case(first).resolution
    assert local is not None
    assert local.local is not None
    context = Context(here.policy, None, here.folder, here.rows, here.vault)
    whose = local.local.identifier
    for asked in (whose.value, f"{whose.value}^{whose.issuer}"):
        found = audit.export(context, asked, "", "", "", "auditor")
        assert {event.intake for event in found} == {first}
        assert {"intake.cataloged", "case.opened"} <= {event.kind for event in found}
    assert audit.export(context, f"{whose.value}^ELSEWHERE", "", "", "", "auditor") == ()
    assert second != first
