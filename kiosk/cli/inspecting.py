"""`kiosk inspect`: what is on a medium, without a database and without leaving anything behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kiosk import media, sandbox
from kiosk.cli.context import say
from kiosk.engine import Place, reach, reading
from kiosk.model.content import Catalog, Finding, Severity, StatedPatient, Study
from kiosk.model.medium import Medium, MediumKind, Progress, kind_at
from kiosk.model.plain import to_plain
from kiosk.policy import Policy

NOTHING = frozenset(
    {
        "no-dicom",
        "medium-blank",
        "medium-audio",
        "medium-encrypted",
        "encrypted",
        "encrypted-refused",
        "packed",
        "medium-packed",
    }
)
# Files may be missing that no ledger can count: the list that names them could not be read whole.
UNCOUNTED = frozenset({"folder-damaged", "folder-unreadable", "last-session-unreadable"})
# Not the medium's: no such place, our own disk, our own reader.
OURS = frozenset({"medium-missing", "medium-busy", "staging-full", "staging-failed", "reader-died"})


def inspect(location: Path, policy: Policy) -> tuple[dict[str, Any], int]:
    """The report of CLI.md and the exit code. Everything written meanwhile is removed."""
    with tempfile.TemporaryDirectory(prefix="kiosk-inspect-") as folder:
        there, staged = Medium(kind_at(location), str(location.absolute())), Path(folder) / "staged"
        staged.mkdir()

        def read(at: Place) -> Medium:
            return at.named(sandbox.read(at.path, staged, policy.limits, _show).medium)

        try:
            medium = reach(media.Mounts(Path(folder) / "mounts"), there, read)
            found = sandbox.catalog(staged, policy.limits)
        except sandbox.JobFailed as e:
            return _failed(location, e.finding), code_of_failure(e.finding)
    return _report(medium, _explained(found)), exit_code(found)


def _explained(catalog: Catalog) -> Catalog:
    """Why nothing is imported stands among the findings, with what to do."""
    refusal = reading.refused(catalog)
    if refusal is None or refusal in catalog.findings:
        return catalog
    return replace(catalog, findings=(*catalog.findings, refusal))


def _show(progress: Progress) -> None:
    done, total = progress.bytes_done / 1e6, progress.bytes_total / 1e6
    say(f"{progress.phase}: {done:.0f} of {total:.0f} MB, {progress.files_done} files")


def exit_code(catalog: Catalog) -> int:
    """0 whole, 4 in part, 5 nothing to import, 6 limits exceeded (CLI.md): what lies within them is
    cataloged all the same."""
    if exceeds(catalog.findings):
        return 6
    refusal = reading.refused(catalog)
    if refusal is not None:
        return 5 if refusal.code in NOTHING else 4
    ledger = catalog.ledger
    left_out = ledger.damaged + ledger.unsupported + ledger.unreadable + ledger.refused
    conflict = any(f.code == "conflicting-instance" for f in catalog.findings)
    missing = catalog.directory.listed_missing or falls_short(catalog.findings)
    return 4 if left_out or conflict or missing else 0


def exceeds(findings: Iterable[Finding]) -> bool:
    """Whether the medium went past one of our limits."""
    return any(finding.severity is Severity.UNSAFE for finding in findings)


def falls_short(findings: Iterable[Finding]) -> bool:
    """Whether something was left out that stands in no other count: a locked file, a lost list."""
    return any(f.severity is Severity.ERROR or f.code in UNCOUNTED for f in findings)


def code_of_failure(finding: Finding) -> int:
    """What a medium's refusal means for the caller."""
    if finding.severity is Severity.UNSAFE:
        return 6
    if finding.code in NOTHING:
        return 5
    ours = finding.code in OURS or finding.code.startswith("defect-")
    return 1 if ours else 4


def _failed(location: Path, finding: Finding) -> dict[str, Any]:
    kind = MediumKind.ZIP if location.suffix.lower() == ".zip" else kind_at(location)
    return _report(Medium(kind, str(location)), Catalog(findings=(finding,)))


def _report(medium: Medium, catalog: Catalog) -> dict[str, Any]:
    directory = to_plain(catalog.directory)
    fileset_id = directory.pop("fileset_id")
    return {
        "medium": _medium(medium, fileset_id),
        "dicomdir": directory,
        "patients": [_patient(patient) for patient in catalog.patients],
        "ledger": to_plain(catalog.ledger),
        "findings": to_plain(catalog.findings),
    }


def _medium(medium: Medium, fileset_id: str) -> dict[str, Any]:
    return {
        "kind": medium.kind.value,
        "label": medium.label,
        "filesystem": medium.filesystem,
        "fileset_id": medium.fileset_id or fileset_id,
        "fingerprint": medium.fingerprint,
    }


def _patient(patient: StatedPatient) -> dict[str, Any]:
    identity = patient.identity
    return {
        "patient_id": identity.identifier.value,
        "issuer": identity.identifier.issuer or None,
        "name": identity.name.to_dicom(),
        "birth_date": identity.birth_date,
        "sex": identity.sex,
        "studies": [_study(study) for study in patient.studies],
    }


def _study(study: Study) -> dict[str, Any]:
    return {
        "study_instance_uid": study.study_instance_uid,
        "date": study.date,
        "description": study.description,
        "accession_number": study.accession_number,
        "institution": study.institution,
        "series": [
            {
                "series_instance_uid": series.series_instance_uid,
                "modality": series.modality,
                "description": series.description,
                "instances": [
                    {
                        "sop_instance_uid": each.sop_instance_uid,
                        "sop_class_uid": each.sop_class_uid,
                        "transfer_syntax_uid": each.transfer_syntax_uid,
                        "path": each.path,
                        "bytes": each.bytes,
                        "sha256": each.sha256,
                        "status": each.status.value,
                    }
                    for each in series.instances
                ],
            }
            for series in study.series
        ],
    }


def words(report: dict[str, Any]) -> list[str]:
    """The report for a person at a terminal."""
    lines = []
    for patient in report["patients"]:
        instances = [
            i for s in patient["studies"] for each in s["series"] for i in each["instances"]
        ]
        held = sum(i["status"] != "ok" for i in instances)
        lines.append(
            f"{patient['name'] or '(no name)'}  born {patient['birth_date'] or '?'}  "
            f"ID {patient['patient_id'] or '(none)'}: "
            f"{len(patient['studies'])} studies, {len(instances)} images"
            + (f", {held} of them damaged or not supported" if held else "")
        )
    ledger = report["ledger"]
    parts = [f"{count} {name}" for name, count in ledger.items() if count and name != "files"]
    lines.append(f"{ledger['files']} files: " + (", ".join(parts) or "nothing"))
    lines += [
        f"{f['severity']}: {f['code']} {f['where']!r} {f['detail']}" for f in report["findings"]
    ]
    return lines
