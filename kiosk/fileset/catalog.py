"""Everything known of a medium's content once its headers were read: every file in one bucket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from kiosk.fileset import kinds
from kiosk.fileset.claims import hold_against
from kiosk.fileset.findings import Findings, damage
from kiosk.fileset.looking import Look, Seen
from kiosk.fileset.patients import Placed, group
from kiosk.model.content import (
    Attachment,
    Catalog,
    InstanceStatus,
    Ledger,
    Severity,
    StatedPatient,
    read_findings,
)
from kiosk.model.medium import StagedFile, read_manifest
from kiosk.policy.sections import Limits


def read(root: Path, limits: Limits) -> Catalog:
    """The catalog of the staging folder `root`: its manifest, the files staged in it, and the
    findings that reading the medium left there.

    A file that cannot be read or is not what it claims ends in a bucket and a finding, never in
    an exception. Raises OSError or NotPlain when the manifest itself cannot be read.
    """
    findings = Findings(read_findings(root))
    newest = {file.number: file for file in read_manifest(root)}
    files = [newest[number] for number in sorted(newest)]
    look = Look(root, limits, findings)
    seen = [look.at(file) for file in files]
    directory = hold_against(seen, findings, look.statements)
    _belongs_to_viewer(seen, findings)
    _say_what_is_left(seen, findings)
    placed = _once_each(seen, findings)
    patients = group(placed)
    _one_patient_a_study(patients, findings)
    for hurt in damage(patients):
        findings.add(hurt.code, hurt.severity, hurt.where, hurt.detail)
    return Catalog(
        patients, _ledger(seen, files), directory, findings.all(), _attachments(seen, patients)
    )


def _belongs_to_viewer(seen: Sequence[Seen], findings: Findings) -> None:
    """Help texts, pictures and settings that lie with a program are part of it; what a report may
    be is said all the same."""
    folders = kinds.viewer_folders(s.path for s in seen if s.bucket == kinds.VIEWER)
    maybe: Counter[str] = Counter()
    for one in seen:
        if one.bucket not in (kinds.REPORT, kinds.OTHER) or not kinds.below(one.path, folders):
            continue
        if one.bucket == kinds.REPORT:
            if not kinds.is_of_a_program(one.path, one.kind):
                continue
            maybe[one.path.rpartition("/")[0]] += 1
        one.bucket = kinds.VIEWER
    for folder, count in maybe.items():
        findings.add("with-program", Severity.INFO, folder, _WITH_PROGRAM.format(count=count))


_WITH_PROGRAM = (
    "{count} texts or pictures lie with a program and are taken for a part of it; they are not "
    "imported."
)
_PACKED = "This file packs others in it, maybe under a password, and was not unpacked."


def _say_what_is_left(seen: Sequence[Seen], findings: Findings) -> None:
    for one in seen:
        if one.bucket == kinds.OTHER and not one.kind:
            findings.add(
                "not-importable", Severity.INFO, one.path, "Neither a DICOM instance nor a report."
            )
        if one.bucket == kinds.OTHER and one.kind == kinds.PACKED:
            findings.add("packed", Severity.WARNING, one.path, _PACKED)
        if one.bucket == kinds.VIEWER and one.kind == kinds.PACKED:
            findings.add("packed", Severity.INFO, one.path, _PACKED)
    sound = sum(one.bucket == kinds.OTHER and one.kind == kinds.SOUND for one in seen)
    if sound:
        findings.add("music-or-film", Severity.INFO, "", f"{sound} files are music or films.")


def _once_each(seen: Sequence[Seen], findings: Findings) -> list[Placed]:
    """Identical copies count as duplicates; another content under the same UID is kept and said."""
    placed: list[Placed] = []
    whole: dict[str, tuple[str, str]] = {}
    known: set[tuple[str, str]] = set()
    for one in seen:
        if one.placed is None:
            continue
        instance = one.placed.instance
        uid, content = instance.sop_instance_uid, instance.sha256
        if (uid, content) in known:
            one.bucket = "duplicate"
            continue
        known.add((uid, content))
        placed.append(one.placed)
        one.bucket = instance.status.value
        if instance.status is not InstanceStatus.OK:
            continue
        if uid and uid in whole:
            findings.add(
                "conflicting-instance",
                Severity.WARNING,
                one.path,
                f"Another file has the same SOP Instance UID and other content: {whole[uid][1]}. "
                "Both are imported, one under a new number.",
            )
        whole.setdefault(uid, (content, one.path))
    return placed


def _one_patient_a_study(patients: Sequence[StatedPatient], findings: Findings) -> None:
    owners = Counter(s.study_instance_uid for p in patients for s in p.studies)
    for uid, count in owners.items():
        if uid and count > 1:
            findings.add(
                "study-of-several-patients",
                Severity.WARNING,
                "",
                f"Images of study {uid} state {count} different patients; each keeps its own.",
            )


def _ledger(seen: Sequence[Seen], files: Sequence[StagedFile]) -> Ledger:
    counts = Counter(one.bucket for one in seen)
    return Ledger(files=len(files), directories=_directories(files), **counts)


def _directories(files: Iterable[StagedFile]) -> int:
    folders: set[str] = set()
    for file in files:
        folder = file.untrusted_path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return len(folders)


def _attachments(seen: Sequence[Seen], patients: Sequence[StatedPatient]) -> tuple[Attachment, ...]:
    owners: dict[str, set[int]] = {}
    named = [n for n, p in enumerate(patients) if p.identity.identifier.value or p.identity.name]
    for n in named:
        for instance in patients[n].instances:
            folder = instance.path
            while folder:
                folder = folder.rpartition("/")[0]
                owners.setdefault(folder, set()).add(n)
    return tuple(
        Attachment(
            one.file.number,
            one.path,
            one.file.bytes,
            one.kind,
            named[0] if len(named) == 1 else _owner(one.path, owners),
        )
        for one in seen
        if one.bucket == kinds.REPORT
    )


def _owner(path: str, owners: dict[str, set[int]]) -> int:
    """The only patient with images in the nearest folder around the file that has any."""
    folder = path.rpartition("/")[0]
    while folder and folder not in owners:
        folder = folder.rpartition("/")[0]
    found = owners.get(folder, set())
    return next(iter(found)) if folder and len(found) == 1 else -1
