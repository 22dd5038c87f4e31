"""One look at each staged file: is it an instance, whose, and can it be forwarded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kiosk.fileset import kinds
from kiosk.fileset.directory import Directory, is_named_directory, unreadable_directory, walk
from kiosk.fileset.findings import Findings, in_words
from kiosk.fileset.header import tags
from kiosk.fileset.header.file import (
    MEDIA_STORAGE_DIRECTORY,
    Budget,
    Header,
    read_header,
    uid_text,
    valid_uid,
)
from kiosk.fileset.header.frames import hurt_frames
from kiosk.fileset.header.source import FileSource
from kiosk.fileset.header.stated import Statements
from kiosk.fileset.header.text import name_of
from kiosk.fileset.patients import Placed
from kiosk.model.content import Instance, InstanceStatus, Severity
from kiosk.model.medium import FileState, Span, StagedFile, staged_name
from kiosk.policy.sections import Limits

# Instances that are of no patient (PS3.3 A.32 to A.87: they have no Patient module).
PATIENTLESS = {
    "1.2.840.10008.5.1.4.39.1": "A colour palette",
    "1.2.840.10008.5.1.4.38.1": "A hanging protocol",
    "1.2.840.10008.5.1.4.43.1": "An implant template",
    "1.2.840.10008.5.1.4.44.1": "An implant assembly template",
    "1.2.840.10008.5.1.4.45.1": "An implant template group",
    "1.2.840.10008.5.1.4.1.1.200.1": "A CT protocol",
    "1.2.840.10008.5.1.4.1.1.200.3": "A protocol approval",
    "1.2.840.10008.5.1.4.1.1.200.7": "An XA protocol",
}
_IDENTIFYING = (
    tags.SOP_INSTANCE_UID,
    tags.STUDY_INSTANCE_UID,
    tags.SERIES_INSTANCE_UID,
)
_UNREAD = {
    FileState.LISTED: kinds.VIEWER,
    FileState.REFUSED: "refused",
    FileState.UNREADABLE: "unreadable",
}
_GUESSES = {
    "missing": "The file does not say its character set",
    "unknown": "The file names a character set that does not exist",
    "wrong": "The texts are not in the character set that the file names",
}


@dataclass(slots=True)
class Seen:
    """A file of the medium and what was made of it. `bucket` is a field of the Ledger."""

    file: StagedFile
    bucket: str
    kind: str = ""  # of a report
    is_dicom: bool = False
    placed: Placed | None = None
    directory: Directory | None = None

    @property
    def path(self) -> str:
        return self.file.untrusted_path

    @property
    def may_be_destroyed(self) -> bool:
        """Whether its bytes were looked at and mean nothing else: a listed image may have been
        there."""
        looked_at = self.file.state not in _UNREAD and self.bucket != "unreadable"
        return looked_at and not self.placed and not self.directory and self.kind != "encrypted"


class Look:
    """Looks at the staged files of one medium, on one budget."""

    def __init__(self, root: Path, limits: Limits, findings: Findings) -> None:
        self._root, self._limits, self._findings = str(root), limits, findings
        self._budget = Budget()
        self.statements = Statements(limits.undeclared_charset)

    def at(self, file: StagedFile) -> Seen:
        if file.state in _UNREAD:
            return Seen(file, _UNREAD[file.state])
        try:
            descriptor = os.open(f"{self._root}/{staged_name(file.number)}", os.O_RDONLY)
        except OSError:
            self._say(file, "unreadable-file", Severity.ERROR, "Its copy is not there.")
            return Seen(file, "unreadable")
        try:
            return self._look(file, FileSource(descriptor))
        except OSError:
            self._say(file, "unreadable-file", Severity.ERROR, "Its copy cannot be read.")
            return Seen(file, "unreadable")
        finally:
            os.close(descriptor)

    def _look(self, file: StagedFile, source: FileSource) -> Seen:
        header = read_header(source, self._budget, self._limits.sequence_depth)
        if header is None:
            return self._no_dicom(file, source)
        if header.sop_class_uid == MEDIA_STORAGE_DIRECTORY:
            most = self._limits.directory_records
            found = walk(source, header, file.untrusted_path, most, self._budget)
            return Seen(file, "dicomdir", directory=found)
        if header.has_preamble and kinds.active_preamble(source.read(0, 128)):
            self._say(
                file,
                "preamble-executable",
                Severity.WARNING,
                "The file is also a program, page or archive. Nothing of it is run, and what is "
                "forwarded has an empty preamble.",
            )
        return self._instance(file, header, source)

    def _no_dicom(self, file: StagedFile, source: FileSource) -> Seen:
        head = source.read(0, 4096)
        if kinds.is_encrypted(head):
            self._say(
                file,
                "encrypted",
                Severity.ERROR,
                "The file is locked with a password or certificate. It cannot be imported.",
            )
            bucket = "unsupported" if head[:1] == b"\x30" else kinds.OTHER
            return Seen(file, bucket, "encrypted")
        if is_named_directory(file.untrusted_path):
            return Seen(file, "dicomdir", directory=unreadable_directory(file.untrusted_path))
        bucket, kind = kinds.kind_of(file.untrusted_path, head)
        if bucket == kinds.OTHER and not kind:
            kind = self._kind_of_other(file, source, head)
        if file.state is FileState.HURT:
            self._say(file, "hurt-file", Severity.ERROR, "Parts of the file could not be read.")
        return Seen(file, bucket, kind)

    def _kind_of_other(self, file: StagedFile, source: FileSource, head: bytes) -> str:
        where, magic = kinds.DISC_IMAGE
        if kinds.packed_as(head) or source.read(where, len(magic)) == magic:
            return kinds.PACKED
        return kinds.SOUND if kinds.is_sound(file.untrusted_path) else ""

    def _instance(self, file: StagedFile, header: Header, source: FileSource) -> Seen:
        if not header.sop_instance_uid and not header.sop_class_uid:
            if is_named_directory(file.untrusted_path):
                return Seen(file, "dicomdir", directory=unreadable_directory(file.untrusted_path))
            return self._no_instance(file, header)
        self._judge_uids(header)
        if file.state is FileState.HURT and header.status is InstanceStatus.OK:
            header.status = InstanceStatus.DAMAGED
            self._say(
                file, "damaged-instance", Severity.ERROR, "Parts of the file could not be read."
            )
        for code, severity, detail in header.flaws:
            self._say(file, code, severity, detail)
        if header.status is InstanceStatus.DAMAGED:
            self._say_frames(file, header, source)
        stated = self.statements.of(header)
        if guess := stated.charset.guess:
            taken = name_of(stated.charset.codecs[0])
            said = f"{_GUESSES[guess]}; its texts are read as {taken}."
            self._say(file, "charset-guessed", Severity.WARNING, said)
        placed = Placed(_to_instance(file, header), stated.identity, stated.study, stated.series)
        return Seen(file, header.status.value, is_dicom=True, placed=placed)

    def _say_frames(self, file: StagedFile, header: Header, source: FileSource) -> None:
        """Which frames are hurt, where the file has several and tells."""
        behind = Span(source.size, 1 << 40)  # of a file that is shorter than it says
        hurt = hurt_frames(header, source, file.missing or (behind,), self._budget)
        if hurt:
            which = in_words(hurt)
            said = f"Frames {which} of {header.frames} are damaged or missing."
            self._say(file, "damaged-frames", Severity.ERROR, said)

    def _no_instance(self, file: StagedFile, header: Header) -> Seen:
        """DICOM elements without a SOP Class: older than DICOM, or a torn header."""
        if header.status is InstanceStatus.DAMAGED or file.state is FileState.HURT:
            for code, severity, detail in header.flaws:
                self._say(file, code, severity, detail)
            return Seen(file, "damaged", is_dicom=True)
        if not header.values.get(tags.RECOGNITION_CODE, b"").upper().startswith(b"ACR-NEMA"):
            return Seen(file, kinds.OTHER)
        said = "This is an ACR-NEMA file, older than DICOM. It cannot be imported."
        self._say(file, "acr-nema", Severity.WARNING, said)
        return Seen(file, kinds.OTHER, "acr-nema")

    def _judge_uids(self, header: Header) -> None:
        """An instance of no known kind cannot be sent (PS3.7 9.1.1)."""
        in_meta = uid_text(header.meta.get(tags.MEDIA_STORAGE_SOP_INSTANCE_UID, b""))
        if header.sop_class_uid in PATIENTLESS:
            what = PATIENTLESS[header.sop_class_uid]
            self._hold(header, "no-patient-object", f"{what}, which belongs to no patient.")
            return
        if in_meta and in_meta != header.sop_instance_uid:
            header.flaw("uid-disagrees", Severity.WARNING, "The file states two SOP Instance UIDs.")
        if not valid_uid(header.uid(tags.SOP_CLASS_UID)):
            self._hold(header, "uid-missing", "It does not say what kind of object it is.")
        uids = [header.uid(tag) for tag in _IDENTIFYING]
        if not all(uids):
            said = "The study, series or instance has no UID. It gets one when it is imported."
            header.flaw("uid-missing", Severity.WARNING, said)
        elif not all(map(valid_uid, uids)):
            said = "A UID is too long or has letters in it. It gets a new one when it is imported."
            header.flaw("uid-invalid", Severity.WARNING, said)

    def _hold(self, header: Header, code: str, detail: str) -> None:
        if header.status is InstanceStatus.OK:
            header.status = InstanceStatus.UNSUPPORTED
            header.flaw(code, Severity.WARNING, f"{detail} It is kept and not forwarded.")

    def _say(self, file: StagedFile, code: str, severity: Severity, detail: str) -> None:
        self._findings.add(code, severity, file.untrusted_path, detail)


def _to_instance(file: StagedFile, header: Header) -> Instance:
    return Instance(
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        file=file.number,
        path=file.untrusted_path,
        bytes=file.bytes,
        sha256=file.sha256,
        status=header.status,
        dataset_offset=header.dataset_offset,
        pixel_offset=header.pixel_offset,
        number=uid_text(header.values.get(tags.INSTANCE_NUMBER, b"")),
        slice_location=uid_text(header.values.get(tags.SLICE_LOCATION, b"")),
        rows=header.number(tags.ROWS),
        columns=header.number(tags.COLUMNS),
        frames=header.frames,
    )
