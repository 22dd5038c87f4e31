"""A disc or disc image as a source: its trees joined, its files in ascending position."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from kiosk.media.iso import udf
from kiosk.media.iso.descriptors import Session, Tree, maker, sessions, stray_session
from kiosk.media.iso.join import join, preferred
from kiosk.media.iso.sectors import SECTOR, Sectors, gone
from kiosk.media.iso.tree import Found, Walk, walk, walk_a_little
from kiosk.media.refusals import HEAD, refuse_kind, refuse_path, refuse_size, shown
from kiosk.media.source import Deadline, Entry, Listing, MediaError, Piece, Unreadable, divided
from kiosk.model.content import Finding, Severity
from kiosk.model.medium import Medium, MediumKind, Span
from kiosk.policy.sections import Limits

_MOST_NAMED = 1000  # folders that findings are made for
_FOLDERS, _ENTRIES = 5, 12  # that are looked at to know the disc again
_START = 32_768  # bytes of a file, for the same


class Disc:
    """An opened disc: what it is from its descriptors, its list of files when it is asked for.
    Raises MediaError where no file system is found that we can read."""

    def __init__(
        self,
        sectors: Sectors,
        kind: MediumKind,
        location: str,
        limits: Limits,
        last_session: int | None = None,
    ) -> None:
        self.sectors, self.limits = sectors, limits
        self._holes = False
        self._notes: list[Finding] = []
        self._earlier: list[Session] = []
        self._trees = self._find_trees(last_session)
        look_on = not (self._trees and sectors.bounded)
        self._volume = udf.volume(self._read_at, sectors.size) if look_on else None
        if not self._trees and self._volume is None:
            raise unknown_file_system()
        self._holes = False  # behind the last session lie sectors that no drive reads
        names, found = self._look()
        self.medium = Medium(
            kind=kind,
            location=location,
            label=max(self._labels(), key=len),
            filesystem=names,
            fingerprint="" if sectors.bounded else f"sha256:{self._fingerprint(found)}",
            bytes=sectors.size,
            sure=not self._holes,
            maker=next(filter(None, map(maker, self._trees)), ""),
        )

    @cached_property
    def listing(self) -> Listing:
        walks = {}
        for tree in self._trees:
            result = walk(tree, self._read_at, self.sectors.size, self.limits)
            walks[_names(tree, result)] = result
        if self._volume is not None:
            walks["udf"] = udf.walk(self._volume, self._read_at, self.limits)
        names, joined = join(walks)
        self.medium = replace(self.medium, filesystem=names)
        self._dropped(joined)
        return self._listed(joined)

    def pieces(self, entry: Entry, span: Span) -> Iterator[Piece]:
        return self._of_entry(entry, span, self.sectors.pieces)

    def ladder(self, entry: Entry, span: Span, step: int) -> Iterator[Piece]:
        return self._of_entry(entry, span, partial(self.sectors.ladder, tries=step))

    def _of_entry(
        self, entry: Entry, span: Span, read: Callable[[int, int], Iterator[Piece]]
    ) -> Iterator[Piece]:
        for place in places(entry, span):
            shift = place.within - place.start
            for piece in read(place.start, place.length):
                if isinstance(piece, Span):
                    piece = Span(piece.start + shift, piece.length)
                yield piece

    def start(self, entry: Entry, length: int) -> bytes:
        got = b""
        for start, size in entry.where:
            wanted = min(size, length - len(got))
            piece = self.sectors.read(start, wanted)
            got += piece
            if not wanted or len(piece) < wanted:
                break
        return got

    def check_present(self) -> None:
        for start, content in self._marks():
            try:
                if self.sectors.read(start, SECTOR) == content:
                    return
            except Unreadable:
                continue
        raise gone()

    def slow_down(self, deadline: Deadline) -> None:
        self.sectors.slow_down(deadline)

    def tried(self, earlier: Sequence[Span]) -> None:
        for span in earlier:
            for at in range(span.start - span.start % SECTOR, span.start + span.length, SECTOR):
                self.sectors.bad.setdefault(at, 1)

    def damage(self, missing: Iterable[tuple[Entry, Span]]) -> tuple[list[Span], list[Span]]:
        size = self.sectors.size
        missed = [whole_sectors(p) for e, span in missing for p in places(e, span)]
        within = [Span(s.start, min(s.length, size - s.start)) for s in missed if s.start < size]
        return divided(within, (Span(at, SECTOR) for at in self.sectors.bad))

    def close(self) -> None:
        self.sectors.close()

    # -- what the disc is ------------------------------------------------------------------

    def _find_trees(self, last: int | None) -> tuple[Tree, ...]:
        session = self._choose(last)
        if session is None:
            session = stray_session(self._read_sectors, self.sectors.size // SECTOR)
            if session is None:
                return ()
            self._note("descriptors-damaged", Severity.WARNING, "", _DESCRIPTORS)
        return session.trees[:1] if self.sectors.bounded else session.trees

    def _choose(self, last: int | None) -> Session | None:
        found = list(sessions(self._read_sectors, self.sectors.size // SECTOR, last))
        if not found:
            return None
        if len(found) > 1:
            self._note("multi-session", Severity.INFO, "", _SESSIONS.format(count=len(found)))
        if last and found[-1].start != last:
            self._note("last-session-unreadable", Severity.WARNING, "", _LAST_SESSION)
        self._earlier = found[:-1]
        return found[-1]

    def _look(self) -> tuple[str, Walk]:
        """The naming that will be preferred, and the files that lie first."""
        walks = {}
        for tree in self._trees:
            found = walk_a_little(tree, self._read_at, self.sectors.size, self.limits, _FOLDERS)
            walks[_names(tree, found)] = found
        if self._volume is not None:
            most = 0 if walks else _ENTRIES
            walks["udf"] = udf.walk_a_little(self._volume, self._read_at, self.limits, most)
        return preferred(walks), next(iter(walks.values()))

    def _fingerprint(self, found: Walk) -> str:
        """Descriptors with their dates, the first files' places, and the start of the DICOMDIR,
        else of the first file that may be a scan: two people's discs can be alike in all else."""
        digest = hashlib.sha256()
        for _, content in self._marks():
            digest.update(content)
        for tree in self._trees:
            digest.update(self._read_at(tree.root * tree.block, SECTOR))
        digest.update(self._volume.stamp if self._volume else b"")
        files = sorted((f for f in found.files if f.bytes > HEAD), key=position)
        digest.update(repr([(f.parts, f.extents) for f in files]).encode("utf-8", "replace"))
        named = [f for f in files if [p.upper() for p in f.parts] == ["DICOMDIR"]]
        for first in (named or files)[:1]:
            start, length = first.extents[0]
            digest.update(self._read_at(start, min(length, _START)))
        return digest.hexdigest()

    def _marks(self) -> list[tuple[int, bytes]]:
        """Sectors that are this disc's alone."""
        marks = [(tree.at * SECTOR, tree.raw) for tree in self._trees]
        return marks + ([(self._volume.anchor, self._volume.raw)] if self._volume else [])

    def _labels(self) -> list[str]:
        labels = [tree.label for tree in self._trees]
        return labels + ([self._volume.label] if self._volume else [])

    def _read_sectors(self, sector: int, length: int) -> bytes:
        return self._read_at(sector * SECTOR, length)

    def _read_at(self, start: int, length: int) -> bytes:
        try:
            return self.sectors.read(start, length)
        except Unreadable:
            found = self.sectors.salvage(start, length)
            self._holes |= len(found) < min(length, self.sectors.size - start)
            return found

    # -- its list of files -----------------------------------------------------------------

    def _dropped(self, last: Walk) -> None:
        """A session may replace or drop files of those before it; what it dropped is said."""
        known = {tuple(f.extents) for f in last.files}
        names = {f.parts for f in last.files}
        dropped: set[tuple[str, ...]] = set()
        for session in () if self.sectors.bounded else self._earlier:
            tree = session.primary or session.trees[0]
            for found in walk(tree, self._read_at, self.sectors.size, self.limits).files:
                if tuple(found.extents) not in known and found.parts not in names:
                    dropped.add(found.parts)
        if dropped:
            detail = _DROPPED.format(count=len(dropped))
            self._note("earlier-session-files", Severity.WARNING, "", detail)

    def _note(self, code: str, severity: Severity, where: str, detail: str) -> None:
        self._notes.append(Finding(code, severity, shown(where), detail))

    def _listed(self, walked: Walk) -> Listing:
        for folder in walked.damaged[:_MOST_NAMED]:
            if walked.mended:
                self._note("folder-mended", Severity.WARNING, folder, _MENDED)
            else:
                self._note("folder-damaged", Severity.WARNING, folder, _DAMAGED)
        for folder in walked.loops[:_MOST_NAMED]:
            self._note("directory-loop", Severity.WARNING, folder, _LOOP)
        if walked.cut:
            detail = _CUT.format(limit=self.limits.directory_records)
            self._note("limit-records", Severity.UNSAFE, "", detail)
        if any(
            start + length > self.sectors.size for f in walked.files for start, length in f.extents
        ):
            self._note("medium-truncated", Severity.WARNING, "", _TRUNCATED)
        if any([p.upper() for p in f.parts] == _DVD_VIDEO for f in walked.files):
            self._note("dvd-video", Severity.INFO, "", _FILM)
        entries = [self._entry(found) for found in sorted(walked.files, key=position)]
        return Listing(entries, walked.directories, self._notes)

    def _entry(self, found: Found) -> Entry:
        path = "/".join(found.parts)
        refused = (
            refuse_path(found.parts, self.limits)
            or refuse_kind(path, found.kind)
            or refuse_size(path, found.bytes, self.limits)
        )
        return Entry(path, found.bytes, tuple(found.extents), refused)


def _names(tree: Tree, found: Walk) -> str:
    return "joliet" if tree.joliet else "rockridge" if found.rock_ridge else "iso9660"


def position(found: Found) -> tuple[int, tuple[str, ...]]:
    return (found.extents[0][0] if found.extents else 0, found.parts)


@dataclass(frozen=True, slots=True)
class Place:
    """A part of an entry on the medium: its first byte there and `within` the entry."""

    start: int
    length: int
    within: int


def places(entry: Entry, span: Span) -> Iterator[Place]:
    """Where a range of an entry lies, extent by extent."""
    before, end = 0, span.start + span.length
    for start, length in entry.where:
        first, last = max(span.start, before), min(end, before + length)
        if first < last:
            yield Place(start + first - before, last - first, first)
        before += length


def whole_sectors(place: Place) -> Span:
    start = place.start - place.start % SECTOR
    return Span(start, -(-(place.start + place.length - start) // SECTOR) * SECTOR)


def unknown_file_system() -> MediaError:
    return MediaError(
        "medium-unreadable",
        "No file system that can be read was found on the medium: it may be damaged, or written "
        "in another way. No scans were read. Clean the disc and try again, or ask for a copy.",
    )


_SESSIONS = (
    "The disc was written in {count} sessions. The last one was read, as every computer does: it "
    "lists what belongs to the disc. Nothing needs to be done."
)
_DROPPED = (
    "{count} files of an earlier session are not listed by the disc's last session. They were not "
    "read, as on every computer. If scans are missing, ask the sender for a copy of them."
)
_DVD_VIDEO = ["VIDEO_TS", "VIDEO_TS.IFO"]
_FILM = (
    "This disc is a video DVD. Its films are no scans. Other files on it are looked at as usual."
)
_LAST_SESSION = (
    "The disc's last session cannot be read, only an earlier one. Scans that were added later are "
    "missing. Clean the disc and read it again."
)
_DESCRIPTORS = (
    "The start of the disc is damaged. Its list of files was found in another way and may lack "
    "names. Check that all scans are there, or ask for a copy."
)
_DAMAGED = (
    "Part of this folder's list of files is damaged. All files that could still be found were "
    "read; some may be missing. Clean the disc and read it again, or ask for a copy."
)
_MENDED = (
    "Part of this folder's list of files is damaged. The disc has a second list, which is whole "
    "and was used: no file is missing. Nothing needs to be done."
)
_LOOP = (
    "This folder is listed twice or contains itself. It was entered once, so nothing is missing."
)
_TRUNCATED = (
    "The medium is shorter than its list of files says. What lies behind its end is missing. If "
    "this is a downloaded image, fetch it again; if it is a disc, ask for a copy."
)
_CUT = (
    "The medium lists more than {limit} files and folders. The rest was not looked at. A disc of "
    "scans is never like this: ask for a copy with the scans only."
)
