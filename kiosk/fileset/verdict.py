"""A first look: what a medium is, from its list of files, its directory and a few headers. It says
what it saw; the catalog, which looks at every file, has the last word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from kiosk.fileset import kinds
from kiosk.fileset.directory import Claim, Directory, Paths, is_named_directory, walk
from kiosk.fileset.header.file import MEDIA_STORAGE_DIRECTORY, Budget, Header, read_header
from kiosk.fileset.header.source import MemorySource
from kiosk.fileset.header.stated import Statements
from kiosk.fileset.patients import Placed, group
from kiosk.model.content import Instance, SeenStudy, Series, StatedPatient, Study, Verdict
from kiosk.model.patient import PatientIdentity
from kiosk.policy.sections import Limits

Start = Callable[[int, int], bytes]  # (file, length) -> its first bytes, fewer or none

_DIRECTORIES = 3
_DIRECTORY_BYTES = 1_500_000
_HEADERS = 16
_HEADER_BYTES = 32_768
_SMALLEST = 140  # bytes; nothing shorter is an instance
_MOST_FILES = 20_000
_SHOWN = 10


def first_look(
    files: Sequence[tuple[str, int]], start: Start, limits: Limits, whole: bool = True
) -> Verdict:
    """What the medium is that holds `files`, (path, bytes) each in the order in which they lie.

    At most 20 files are started; `whole` tells whether the list is complete. Never raises for what
    the bytes say.
    """
    return _Look(files[:_MOST_FILES], start, limits, whole and len(files) <= _MOST_FILES).verdict()


@dataclass(slots=True)
class _Seen:
    """What became of the files that were looked at, by their number."""

    claims: dict[int, Claim] = field(default_factory=dict)
    placed: dict[int, Placed] = field(default_factory=dict)
    looked_at: dict[int, bytes] = field(default_factory=dict)
    directories: set[int] = field(default_factory=set)
    locked: int = 0


class _Look:
    def __init__(
        self, files: Sequence[tuple[str, int]], start: Start, limits: Limits, whole: bool
    ) -> None:
        self._files, self._start, self._limits, self._whole = files, start, limits, whole
        self._seen, self._statements = _Seen(), Statements(limits.undeclared_charset)
        self._budget = Budget(3_000_000, 64_000_000)

    def verdict(self) -> Verdict:
        for number, (path, _) in enumerate(self._files):
            if is_named_directory(path) and len(self._seen.directories) < _DIRECTORIES:
                self._directory(number)
        for number in sorted(self._worth_a_look()):
            self._header(number)
        patients = group(self._placed())
        return self._of_scans(patients) if patients else self._without_scans()

    # -- the directory -------------------------------------------------------------------------

    def _directory(self, number: int) -> None:
        self._seen.directories.add(number)
        path, size = self._files[number]
        source = MemorySource(self._start(number, _DIRECTORY_BYTES), size)
        header = read_header(source, self._budget, self._limits.sequence_depth)
        if header is None or header.sop_class_uid != MEDIA_STORAGE_DIRECTORY:
            return
        found = walk(source, header, path, self._limits.directory_records, self._budget)
        self._listed(found)

    def _listed(self, directory: Directory) -> None:
        paths = Paths((n, path) for n, (path, _) in enumerate(self._files))
        base = paths.base(directory)
        for claim in directory.claims:
            number = None if claim.leads_outside else paths.find(base, claim.components)
            if number is not None and claim.is_instance:
                self._seen.claims.setdefault(number, claim)

    # -- headers -------------------------------------------------------------------------------

    def _worth_a_look(self) -> list[int]:
        """What may be an instance and is in no directory, spread over the medium, and one image of
        each patient that a directory lists."""
        unlisted = [n for n in range(len(self._files)) if self._may_be_instance(n)]
        listed = {claim.patient: n for n, claim in reversed(self._seen.claims.items())}
        some = list(listed.values())[: _HEADERS // 2]
        return [*some, *_spread(unlisted, self._files, _HEADERS - len(some))]

    def _may_be_instance(self, number: int) -> bool:
        path, size = self._files[number]
        if number in self._seen.claims or number in self._seen.directories or size < _SMALLEST:
            return False
        return kinds.kind_of(path, b"?") == (kinds.OTHER, "") and not kinds.is_sound(path)

    def _header(self, number: int) -> None:
        _, size = self._files[number]
        head = self._start(number, min(_HEADER_BYTES, size))
        if not head:
            return
        self._seen.looked_at[number] = head
        header = read_header(MemorySource(head, size), self._budget, self._limits.sequence_depth)
        if header is None:
            self._seen.locked += kinds.is_encrypted(head)
        elif header.sop_class_uid == MEDIA_STORAGE_DIRECTORY:
            self._seen.directories.add(number)
        elif header.sop_class_uid:
            self._seen.placed[number] = self._stated(number, header)

    def _stated(self, number: int, header: Header) -> Placed:
        stated = self._statements.of(header)
        instance = _instance(number, header.sop_class_uid, header.sop_instance_uid)
        return Placed(instance, stated.identity, stated.study, stated.series)

    # -- what it comes to ----------------------------------------------------------------------

    def _placed(self) -> list[Placed]:
        """Headers as they state it; what is only listed as the directory has it, but of whom the
        one header says that was looked at."""
        seen = self._seen
        true: dict[object, PatientIdentity] = {
            seen.claims[n].patient: placed.identity
            for n, placed in seen.placed.items()
            if n in seen.claims
        }
        listed = {
            n: self._claimed(n, claim, true)
            for n, claim in seen.claims.items()
            if n not in seen.looked_at
        }
        together = listed | seen.placed
        return [together[n] for n in sorted(together)]

    def _claimed(self, number: int, claim: Claim, true: dict[object, PatientIdentity]) -> Placed:
        return Placed(
            _instance(number, claim.sop_class_uid, claim.sop_instance_uid),
            true.get(claim.patient) or self._statements.patient(claim.patient),
            self._statements.study(claim.study),
            Series(claim.series_instance_uid, claim.modality),
        )

    def _of_scans(self, patients: tuple[StatedPatient, ...]) -> Verdict:
        studies = {s.study_instance_uid: s for p in patients for s in p.studies}
        return Verdict(
            "scans" if len(patients) == 1 else "several-people",
            len(patients),
            len(studies),
            sum(len(p.instances) for p in patients),
            stated=tuple(p.identity for p in patients[:_SHOWN]),
            lines=tuple(map(_line, list(studies.values())[:_SHOWN])),
            whole=self._whole and not self._unseen() and all(map(_is_named, patients)),
        )

    def _unseen(self) -> bool:
        numbers = range(len(self._files))
        return any(self._may_be_instance(n) and n not in self._seen.looked_at for n in numbers)

    def _without_scans(self) -> Verdict:
        if not self._files:
            return Verdict("empty" if self._whole else "unsure", whole=self._whole)
        if self._seen.locked and self._seen.locked == len(self._seen.looked_at):
            return Verdict("locked", whole=self._whole)
        if self._seen.claims or not self._whole or self._unseen():
            return Verdict("unsure")
        buckets = Counter(self._buckets())
        if buckets["sound"] and not buckets[kinds.REPORT]:
            return Verdict("audio", whole=True)
        if buckets[kinds.VIEWER] and not (buckets[kinds.REPORT] or buckets[kinds.OTHER]):
            return Verdict("viewer-only", whole=True)
        return Verdict("no-dicom", reports=buckets[kinds.REPORT], whole=True)

    def _buckets(self) -> Iterator[str]:
        """Of each file: a report, a part of a viewer, sound or film, something else."""
        found = {
            path: kinds.kind_of(path, self._seen.looked_at.get(n, b"?"))
            for n, (path, _) in enumerate(self._files)
        }
        folders = kinds.viewer_folders(p for p, (is_, _) in found.items() if is_ == kinds.VIEWER)
        for path, (bucket, kind) in found.items():
            if bucket == kinds.OTHER and kinds.is_sound(path):
                yield "sound"
            else:
                with_program = kinds.below(path, folders) and kinds.is_of_a_program(path, kind)
                yield kinds.VIEWER if with_program else bucket


def _spread(numbers: Sequence[int], files: Sequence[tuple[str, int]], most: int) -> list[int]:
    """The first file of each folder, then others in even steps; at most so many."""
    firsts = {files[n][0].rpartition("/")[0]: n for n in reversed(numbers)}
    chosen = dict.fromkeys(sorted(firsts.values())[:most])
    rest = [n for n in numbers if n not in chosen]
    left = most - len(chosen)
    few = min(left, len(rest))
    return [*chosen, *(rest[i * len(rest) // few] for i in range(few))]


def _is_named(patient: StatedPatient) -> bool:
    return bool(patient.identity.identifier.value or patient.identity.name)


def _instance(number: int, sop_class_uid: str, sop_instance_uid: str) -> Instance:
    return Instance(sop_instance_uid, sop_class_uid, "", number, "", 0, "")


def _line(study: Study) -> SeenStudy:
    modalities = dict.fromkeys(s.modality for s in study.series if s.modality)
    return SeenStudy(
        study.study_instance_uid,
        "/".join(modalities),
        study.description,
        study.date,
        len(study.instances),
    )
