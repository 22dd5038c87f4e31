"""The directory's claims held against what is there: headers are the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from kiosk.fileset.directory import Claim, Directory, Paths, is_named_directory
from kiosk.fileset.findings import Findings
from kiosk.fileset.header.stated import Statements
from kiosk.fileset.looking import Seen
from kiosk.fileset.patients import Placed, names_agree
from kiosk.model.content import DirectoryClaim, Instance, InstanceStatus, Series, Severity, Study


def hold_against(
    seen: Sequence[Seen], findings: Findings, statements: Statements
) -> DirectoryClaim:
    """What the medium's directories claim. Files that they list as instances and that are none
    any more become damaged instances, filed where the directory says."""
    directories = [one.directory for one in seen if one.directory is not None]
    named = any(is_named_directory(one.path) for one in seen)
    paths = Paths((n, one.path) for n, one in enumerate(seen))
    whole = {
        one.placed.study.study_instance_uid: one.placed
        for one in reversed(seen)
        if one.placed is not None and one.placed.instance.status is InstanceStatus.OK
    }
    listed: set[int] = set()
    lost: set[str] = set()
    uids: set[str] = set()
    for directory in directories:
        _say_problems(directory, findings)
        base = paths.base(directory)
        for claim in directory.claims:
            uids.add(claim.sop_instance_uid)
            number = _find(claim, base, paths, findings)
            if number is None:
                lost.add("/".join((*base, *claim.components)).casefold())
                continue
            if number not in listed:
                listed.add(number)
                _compare(claim, seen[number], whole, findings, statements)
    unlisted = _unlisted(seen, listed, uids)
    for one in unlisted if directories else ():
        findings.add(
            "unlisted-file",
            Severity.WARNING,
            one.path,
            "On the medium, but not in its directory. It is treated like the others.",
        )
    return DirectoryClaim(
        present=bool(directories) or named,
        usable=bool(directories) and all(d.usable for d in directories),
        listed=len(listed) + len(lost),
        listed_missing=len(lost),
        unlisted=len(unlisted),
        fileset_id=next((d.fileset_id for d in _topmost(directories) if d.fileset_id), ""),
    )


def _topmost(directories: Iterable[Directory]) -> list[Directory]:
    return sorted(directories, key=lambda d: d.path.count("/"))


def _say_problems(directory: Directory, findings: Findings) -> None:
    for problem in directory.problems:
        findings.add(
            "directory-damaged",
            Severity.WARNING,
            directory.path,
            f"{problem} All files were looked at instead.",
        )


def _find(claim: Claim, base: Sequence[str], paths: Paths, findings: Findings) -> int | None:
    if claim.leads_outside:
        findings.add(
            "file-id-outside",
            Severity.WARNING,
            claim.path,
            "The directory lists a file outside the medium. It was not opened.",
        )
        return None
    number = paths.find(base, claim.components)
    if number is None:
        findings.add(
            "listed-file-missing",
            Severity.WARNING,
            "/".join((*base, *claim.components)),
            "The directory lists this file, but it is not on the medium.",
        )
    return number


def _compare(
    claim: Claim,
    one: Seen,
    whole: Mapping[str, Placed],
    findings: Findings,
    statements: Statements,
) -> None:
    if one.bucket == "unreadable":
        findings.add(
            "listed-file-unreadable",
            Severity.ERROR,
            one.path,
            "The directory lists this image, but nothing of it could be read.",
        )
    elif claim.is_instance and one.may_be_destroyed:
        _damaged(claim, one, findings, statements)
        _complete(claim, one, whole, statements)
    elif one.placed is not None:
        _complete(claim, one, whole, statements)
        wrong = _disagreements(claim, one.placed, statements)
        if wrong:
            findings.add(
                "directory-disagrees",
                Severity.WARNING,
                one.path,
                f"The directory and the file differ in: {', '.join(wrong)}. The file is believed.",
            )


def _disagreements(claim: Claim, placed: Placed, statements: Statements) -> list[str]:
    stated = statements.patient(claim.patient)
    pairs = {
        "SOP Instance UID": (claim.sop_instance_uid, placed.instance.sop_instance_uid),
        "Study Instance UID": (claim.study_instance_uid, placed.study.study_instance_uid),
        "Series Instance UID": (claim.series_instance_uid, placed.series.series_instance_uid),
        "Patient ID": (stated.identifier.value, placed.identity.identifier.value),
    }
    wrong = [
        name for name, (claimed, true) in pairs.items() if claimed and true and claimed != true
    ]
    same_name = names_agree(stated.name, placed.identity.name, same_birth_date=False)
    return wrong if same_name else [*wrong, "Patient's Name"]


def _damaged(claim: Claim, one: Seen, findings: Findings, statements: Statements) -> None:
    """The directory knows what was in a file that is no DICOM file any more."""
    findings.add(
        "damaged-instance",
        Severity.ERROR,
        one.path,
        "The directory lists an image here, but the file's beginning is destroyed.",
    )
    one.bucket, one.is_dicom = "damaged", True
    instance = Instance(
        sop_instance_uid=claim.sop_instance_uid,
        sop_class_uid=claim.sop_class_uid,
        transfer_syntax_uid=claim.transfer_syntax_uid,
        file=one.file.number,
        path=one.path,
        bytes=one.file.bytes,
        sha256=one.file.sha256,
        status=InstanceStatus.DAMAGED,
        pixel_offset=one.file.bytes,
    )
    one.placed = Placed(
        instance,
        statements.patient(claim.patient),
        Study(claim.study_instance_uid),
        Series(claim.series_instance_uid, claim.modality),
    )


def _complete(claim: Claim, one: Seen, whole: Mapping[str, Placed], statements: Statements) -> None:
    """A damaged instance whose header does not say where it belongs is filed as the directory has
    it, with the whole instances of its study where there are any."""
    placed = one.placed
    if placed is None or placed.instance.status is not InstanceStatus.DAMAGED:
        return
    study = placed.study.study_instance_uid or claim.study_instance_uid
    series = placed.series.series_instance_uid or claim.series_instance_uid
    instance = placed.instance
    if not instance.sop_instance_uid:
        instance = replace(instance, sop_instance_uid=claim.sop_instance_uid)
    if study in whole:
        identity, studied = whole[study].identity, whole[study].study
    else:
        identity = placed.identity
        if not identity.names:
            identity = statements.patient(claim.patient)
        studied = replace(placed.study, study_instance_uid=study)
    filed = replace(
        placed.series,
        series_instance_uid=series,
        modality=placed.series.modality or claim.modality,
    )
    one.placed = Placed(instance, identity, studied, filed)


def _unlisted(seen: Sequence[Seen], listed: set[int], uids: set[str]) -> list[Seen]:
    """DICOM instances that no record leads to, neither by path nor by SOP Instance UID."""
    return [
        one
        for n, one in enumerate(seen)
        if one.is_dicom
        and n not in listed
        and not (one.placed is not None and one.placed.instance.sop_instance_uid in uids)
    ]
