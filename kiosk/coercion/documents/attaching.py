"""Which study a report belongs to, and the instance that is made of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pydicom.config import disable_value_validation

from kiosk.coercion.documents import objects, paper, picture
from kiosk.coercion.documents.refusal import LeftOut
from kiosk.coercion.documents.text import words_of
from kiosk.coercion.encoding.uids import made_uid
from kiosk.coercion.wording import clip
from kiosk.model.content import (
    Attachment,
    Catalog,
    Finding,
    Instance,
    InstanceStatus,
    Series,
    Severity,
    StatedPatient,
    Study,
)
from kiosk.model.medium import MADE, staged_name

LARGEST = 100_000_000  # bytes: a report is never larger
# About the medium or made from its images (IHE RAD PDI), and what operating systems and programs
# bring along: no report about the patient.
_ABOUT = ("readme", "index.htm", "autorun", "license", "licence", "copying", "eula", "help")


_EXPECTED = ("not-asked", "about-the-disc")
_WHY = {
    "whose": "it is not certain whose it is",
    "which-study": "it is not certain which study it belongs to",
    "active": "it has active content, such as a script or another file inside",
    "locked": "it is locked with a password",
    "broken": "it is damaged or cut short",
    "too-large": "it is too large",
    "characters": "it has characters that cannot be shown",
    "not-baseline": "DICOM has no way to hold this kind of JPEG",
    "unreadable": "its copy cannot be read",
}


def attached(folder: Path, catalog: Catalog, kinds: Iterable[str]) -> Catalog:
    """`catalog` with the reports of these `kinds` as instances of the studies they belong to, each
    attachment saying where it went or why it stayed (`Attachment.why`)."""
    wanted, patients, said = frozenset(kinds), list(catalog.patients), []
    for number, each in enumerate(catalog.attachments, 1):
        try:
            owner, study = _place(each, patients, wanted)
            made = _made(folder, each, patients[owner], study, number)
        except LeftOut as e:
            said.append(replace(each, why=e.why))
            continue
        except OSError:
            said.append(replace(each, why="unreadable"))
            continue
        except ValueError:  # what the disc states of the patient cannot be written
            said.append(replace(each, why="characters"))
            continue
        patients[owner] = _with(patients[owner], study, made)
        said.append(replace(each, study=study.study_instance_uid))
    findings = (_finding(a) for a in said if a.why and a.why not in _EXPECTED)
    return replace(
        catalog,
        patients=tuple(patients),
        attachments=tuple(said),
        findings=(*catalog.findings, *findings),
    )


def _finding(attachment: Attachment) -> Finding:
    detail = f"A report was not put into a study: {_WHY[attachment.why]}. It stays on the medium."
    return Finding("report-left-out", Severity.WARNING, attachment.path, detail)


def _place(
    attachment: Attachment, patients: list[StatedPatient], wanted: frozenset[str]
) -> tuple[int, Study]:
    """The patient and the study. Raises LeftOut where that is not beyond doubt."""
    name = attachment.path.rpartition("/")[2].lower()
    if attachment.kind not in wanted:
        raise LeftOut("not-asked")
    if name.startswith(_ABOUT) or "ihe_pdi/" in attachment.path.lower():
        raise LeftOut("about-the-disc")
    if not 0 <= attachment.patient < len(patients):
        raise LeftOut("whose")
    if attachment.bytes > LARGEST:
        raise LeftOut("too-large")
    studies = [s for s in patients[attachment.patient].studies if _sent(s)]
    near = _nearest(attachment.path, studies)
    if len(near) != 1:
        raise LeftOut("which-study" if studies else "whose")
    return attachment.patient, near[0]


def _sent(study: Study) -> bool:
    return any(i.status is InstanceStatus.OK for i in study.instances)


def _nearest(path: str, studies: list[Study]) -> list[Study]:
    """The studies with images in the nearest folder around the file that has any."""
    if len(studies) < 2:
        return studies
    folder = path.rpartition("/")[0]
    while folder:
        inside = [s for s in studies if any(_in(i.path, folder) for i in s.instances)]
        if inside:
            return inside
        folder = folder.rpartition("/")[0]
    return studies


def _in(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")


def _made(
    folder: Path, attachment: Attachment, patient: StatedPatient, study: Study, number: int
) -> Instance:
    """The same file and UID however often it is made. Raises LeftOut, OSError."""
    source = (folder / staged_name(attachment.file)).read_bytes()
    digest = hashlib.sha256(source).hexdigest()
    whose = str(patient.identity.identifier)
    uid = made_uid("document", study.study_instance_uid, whose, digest)
    title = clip(attachment.path.rpartition("/")[2].rpartition(".")[0], 64)
    with disable_value_validation():  # the identity is written as the disc states it
        data = objects.common(patient, study, _series_uid(study, attachment), uid, number)
        if attachment.kind == "jpeg":
            shown = picture.read(source)
            written, start, end = objects.capture(data, shown, title)
        else:
            is_pdf = attachment.kind == "pdf"
            text = "" if is_pdf else words_of(source, attachment.kind)
            pdf = paper.checked(source) if is_pdf else paper.of_text(text)
            written, start, end = objects.paper(data, pdf, title)
    _write(folder / staged_name(MADE + attachment.file), written)
    return Instance(
        uid,
        str(data.SOPClassUID),
        str(data.file_meta.TransferSyntaxUID),
        MADE + attachment.file,
        attachment.path,
        len(written),
        digest,
        dataset_offset=start,
        pixel_offset=end,
        number=str(number),
    )


def _series_uid(study: Study, attachment: Attachment) -> str:
    """Documents and pictures are of two modalities, so of two series."""
    kind = "pictures" if attachment.kind == "jpeg" else "documents"
    return made_uid(kind, study.study_instance_uid)


def _write(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)


def _with(patient: StatedPatient, study: Study, made: Instance) -> StatedPatient:
    modality = "OT" if made.sop_class_uid == objects.SECONDARY_CAPTURE else "DOC"
    uid = made_uid("pictures" if modality == "OT" else "documents", study.study_instance_uid)
    return replace(
        patient,
        studies=tuple(
            replace(s, series=_added(s.series, uid, modality, made)) if s is study else s
            for s in patient.studies
        ),
    )


def _added(
    series: tuple[Series, ...], uid: str, modality: str, made: Instance
) -> tuple[Series, ...]:
    own = next((s for s in series if s.series_instance_uid == uid), None)
    if own is None:
        own = Series(uid, modality, "Documents from the medium", number="0")
        series = (*series, own)
    full = replace(own, instances=(*own.instances, made))
    return tuple(full if s is own else s for s in series)
