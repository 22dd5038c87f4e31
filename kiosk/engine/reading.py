"""Steps of an Intake: read the medium, know what is on it, throw the bytes away in the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from kiosk.engine.parts import Report, Settlement, Site
from kiosk.engine.reaching import Place, reach
from kiosk.engine.rereading import limits_for, start_from_earlier, withdraw_earlier
from kiosk.model.content import Catalog, Finding, InstanceStatus, Severity, StatedPatient
from kiosk.model.medium import MediumKind, Progress, ReadReport, read_manifest
from kiosk.model.work import Intake
from kiosk.sandbox import JobFailed
from kiosk.store import Lease, Transaction

LIST_DAMAGED = {"folder-damaged", "descriptors-damaged", "folder-unreadable"}
NO_LIST = (
    "No scans were found on this disc, but its list of files is damaged: they may be there. Clean "
    "the disc and read it again, try another drive, or ask the sender for a copy."
)
ONLY_PACKED = (
    "There are no scans on this disc that can be read, but packed files. The scans may be in them: "
    "unpack them on another computer and bring the folder, or ask the sender for a plain disc."
)
ONLY_MUSIC = (
    "There are no scans on this disc. It has music or films. Put in the disc with the scans."
)
LOST = Finding(
    "arrival-lost",
    Severity.ERROR,
    detail="The scans that were sent to this kiosk are no longer on its disk. "
    "Nothing was imported. Ask the sender to send them again, and tell IT.",
)


def read(site: Site, intake: Intake) -> Settlement:
    """RECEIVED -> READ: every file of the medium staged, hashed and synced, or its Finding."""
    if intake.medium.kind is MediumKind.NETWORK:
        return _arrived(site, intake)
    try:
        report = reach(site.mounts, intake.medium, partial(_copy, site, intake))
    except JobFailed as e:
        finding = e.finding
        return lambda tx, held: tx.intakes.fail(held, finding)
    return lambda tx, held: tx.intakes.read(held, report)


def _copy(site: Site, intake: Intake, at: Place) -> ReadReport:
    """It is the medium that was identified, or nothing of it is read; only a folder may grow."""
    _look(site, intake, at)
    identified = intake.medium.fingerprint and intake.medium.kind is not MediumKind.FOLDER
    medium = intake.medium if identified else None
    start_from_earlier(site, intake)
    folder, limits = site.vault.folder(intake.ticket), limits_for(intake, site.policy.limits)
    report = site.read(at.path, folder, limits, _shows(site, intake.id), medium)
    return replace(report, medium=at.named(report.medium))


def _arrived(site: Site, intake: Intake) -> Settlement:
    """What was sent to us was staged and hashed as it came: moved into the vault and counted."""
    folder = site.vault.adopt(intake.ticket, Path(intake.medium.location))
    files = tuple(read_manifest(folder))
    if not files:
        return lambda tx, held: tx.intakes.fail(held, LOST)
    report = ReadReport(intake.medium, len(files), 0, sum(file.bytes for file in files))
    return lambda tx, held: tx.intakes.read(held, report)


def _look(site: Site, intake: Intake, at: Place) -> None:
    """What the medium is, said before it is copied. Where the look itself comes to no end, reading
    says why."""
    try:
        verdict = site.look(at.path, site.policy.limits)
    except JobFailed:
        return
    with site.store.begin() as tx:
        tx.intakes.set_verdict(intake.id, verdict)


def _shows(site: Site, intake_id: int) -> Report:
    """Progress as a row, at most four times a second (the child already keeps to that); the
    patience that was asked for meanwhile goes back."""

    def show(progress: Progress) -> float:
        with site.store.begin() as tx:
            tx.intakes.set_progress(intake_id, progress)
            return tx.intakes.get(intake_id).patience

    return show


def catalog(site: Site, intake: Intake) -> Settlement:
    """READ -> CATALOGED with a case for each patient, or REJECTED when there is none."""
    try:
        folder, policy = site.vault.folder(intake.ticket), site.policy
        found = site.catalog(folder, policy.limits, policy.coercion, _shows(site, intake.id))
    except JobFailed as e:
        finding = e.finding
        return lambda tx, held: tx.intakes.fail(held, finding)
    refusal = refused(found)

    def settle(tx: Transaction, held: Lease) -> None:
        if refusal is not None:
            tx.intakes.reject(held, found, refusal)
            return
        tx.intakes.cataloged(held, found)
        withdraw_earlier(tx, intake)
        cases = tuple(
            tx.cases.open(held.id, patient) if can_be_sent(patient) else None
            for patient in found.patients
        )
        tx.intakes.add_attachments(held.id, found.attachments, cases)
        for case in cases:
            if case is not None and site.policy.relevance.previews:
                tx.pictures.wish(case)

    return settle


def can_be_sent(patient: StatedPatient) -> bool:
    """Whether there is anything to decide: what is damaged or unsupported only stays in the ledger
    and the findings."""
    return any(instance.status is InstanceStatus.OK for instance in patient.instances)


def refused(catalog: Catalog) -> Finding | None:
    """Why nothing of this medium is imported, or None. An unsafe finding alone does not refuse
    the good files beside it: with patients on the disc, those go on and the rest is left out."""
    if any(can_be_sent(patient) for patient in catalog.patients):
        return None
    for finding in catalog.findings:
        if finding.severity is Severity.UNSAFE:
            return finding
    for finding in catalog.findings:
        if finding.severity is Severity.ERROR:
            return finding
    codes = {finding.code for finding in catalog.findings}
    if codes & LIST_DAMAGED:
        return Finding("medium-unreadable", Severity.ERROR, detail=NO_LIST)
    if "packed" in codes:
        return Finding("packed", Severity.ERROR, detail=ONLY_PACKED)
    if "music-or-film" in codes and not catalog.ledger.report and not catalog.ledger.viewer:
        return Finding("medium-audio", Severity.ERROR, detail=ONLY_MUSIC)
    return Finding("no-dicom", Severity.ERROR, detail=_what_there_is(catalog))


def _what_there_is(catalog: Catalog) -> str:
    ledger = catalog.ledger
    if ledger.files == 0:
        return "There are no scans on this disc. It is empty. Ask the sender for a new one."
    if ledger.unreadable or ledger.damaged:
        return "No scan on this disc could be read. Try another drive, or ask for a new disc."
    if ledger.viewer and not ledger.report:
        return "There are no scans on this disc. It has only a viewer program."
    return (
        f"There are no scans on this disc: {ledger.report} documents or pictures, "
        f"{ledger.viewer + ledger.other} other files. Ask the sender for the DICOM images."
    )


def purge(site: Site, intake: Intake) -> Settlement:
    """CLOSED: the staged bytes go when the retention time after the last proof has passed. The row
    says so first: a recall that comes meanwhile finds them gone, and never half of them."""
    keep = timedelta(hours=site.policy.retention.staged_hours)
    with site.store.read() as tx:
        due = tx.intakes.closed_at(intake.id) + keep
    if due > site.now():
        return lambda tx, held: tx.intakes.unclaim(held, due)
    with site.store.begin() as tx:
        if not tx.intakes.purging(intake.id):
            return lambda tx, held: None  # a recall took the row
    site.vault.purge(intake.ticket)

    def settle(tx: Transaction, held: Lease) -> None:
        tx.pictures.drop_all(intake.id)
        tx.intakes.purged(held)

    return settle
