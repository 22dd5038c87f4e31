"""A disc or disc image as a source: its trees joined, its files in ascending position."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from kiosk.media.iso import udf
from kiosk.media.iso.descriptors import Session, sessions, stray_session
from kiosk.media.iso.join import join
from kiosk.media.iso.sectors import SECTOR, Sectors, gone
from kiosk.media.iso.tree import Found, Walk, walk
from kiosk.media.refusals import refuse_kind, refuse_path, refuse_size, shown
from kiosk.media.source import Entry, Listing, MediaError, Piece, Unreadable
from kiosk.model.content import Finding, Severity
from kiosk.model.medium import Medium, MediumKind, Span
from kiosk.policy.sections import Limits

_MOST_NAMED = 1000  # folders that findings are made for


class Disc:
    """An opened disc. Raises MediaError where no file system is found that we can read."""

    def __init__(
        self,
        sectors: Sectors,
        kind: MediumKind,
        location: str,
        limits: Limits,
        last_session: int | None = None,
    ) -> None:
        self.sectors, self.limits = sectors, limits
        self.listing = Listing()
        self._digest = hashlib.sha256()
        self._marks: list[tuple[int, bytes]] = []  # sectors that are this disc's alone
        self._labels: list[str] = []
        self._earlier: list[Session] = []
        walks = self._walk_iso(last_session)
        if not (walks and sectors.bounded):
            walks |= self._walk_udf()
        if not walks:
            raise unknown_file_system()
        names, joined = join(walks)
        self._list(joined)
        if not sectors.bounded:
            self._compare_earlier_sessions(joined)
        self.medium = Medium(
            kind=kind,
            location=location,
            label=max(self._labels, key=len),
            filesystem=names,
            fingerprint=f"sha256:{self._digest.hexdigest()}",
            bytes=sectors.size,
        )

    @property
    def unreadable(self) -> Sequence[Span]:
        return merged(self.sectors.bad)

    def pieces(self, entry: Entry, careful: bool) -> Iterator[Piece]:
        before = 0  # bytes of the entry's earlier extents
        for start, length in entry.where:
            if not careful:
                yield from self.sectors.pieces(start, length)
                continue
            for piece in self.sectors.careful_pieces(start, length):
                if isinstance(piece, Span):
                    piece = Span(piece.start - start + before, piece.length)
                yield piece
            before += length

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
        for start, content in self._marks:
            try:
                if self.sectors.read(start, SECTOR) == content:
                    return
            except Unreadable:
                continue
        raise gone()

    def slow_down(self, deadline: float) -> None:
        self.sectors.slow_down(deadline)

    def close(self) -> None:
        self.sectors.close()

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

    def _compare_earlier_sessions(self, last: Walk) -> None:
        """A session may replace or drop files of those before it; what it dropped is said."""
        places = {tuple(f.extents) for f in last.files}
        names = {f.parts for f in last.files}
        dropped: set[tuple[str, ...]] = set()
        for session in self._earlier:
            tree = session.primary or session.trees[0]
            for found in walk(tree, self._read_at, self.sectors.size, self.limits).files:
                if tuple(found.extents) not in places and found.parts not in names:
                    dropped.add(found.parts)
        if dropped:
            detail = _DROPPED.format(count=len(dropped))
            self._note("earlier-session-files", Severity.WARNING, "", detail)

    def _walk_iso(self, last: int | None) -> dict[str, Walk]:
        walks: dict[str, Walk] = {}
        session = self._choose(last)
        if session is None:
            session = stray_session(self._read_sectors, self.sectors.size // SECTOR)
            if session is None:
                return walks
            self._note("descriptors-damaged", Severity.WARNING, "", _DESCRIPTORS)
        for tree in session.trees[:1] if self.sectors.bounded else session.trees:
            self._mark(tree.at * SECTOR, tree.raw, tree.label)
            self._digest.update(self._read_at(tree.root * tree.block, SECTOR))  # with its dates
            result = walk(tree, self._read_at, self.sectors.size, self.limits)
            names = "joliet" if tree.joliet else "rockridge" if result.rock_ridge else "iso9660"
            walks[names] = result
        return walks

    def _walk_udf(self) -> dict[str, Walk]:
        found = udf.volume(self._read_at, self.sectors.size)
        if found is None:
            return {}
        self._mark(found.anchor, found.raw, found.label)
        return {"udf": udf.walk(found, self._read_at, self.limits)}

    def _mark(self, start: int, content: bytes, label: str) -> None:
        self._marks.append((start, content))
        self._labels.append(label)
        self._digest.update(content)

    def _read_sectors(self, sector: int, length: int) -> bytes:
        return self._read_at(sector * SECTOR, length)

    def _read_at(self, start: int, length: int) -> bytes:
        try:
            return self.sectors.read(start, length)
        except Unreadable:
            return self._salvage(start, length)

    def _salvage(self, start: int, length: int) -> bytes:
        """What the ladder yields up to the first byte that it cannot."""
        parts = []
        for piece in self.sectors.careful_pieces(start, length):
            if isinstance(piece, Span):
                break
            parts.append(bytes(piece))
        return b"".join(parts)

    def _note(self, code: str, severity: Severity, where: str, detail: str) -> None:
        self.listing.findings.append(Finding(code, severity, shown(where), detail))

    def _list(self, walked: Walk) -> None:
        self.listing.directories = walked.directories
        for folder in walked.damaged[:_MOST_NAMED]:
            self._note("directory-damaged", Severity.WARNING, folder, _DAMAGED)
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
        for found in sorted(walked.files, key=_position):
            self._digest.update(repr((found.parts, found.extents)).encode("utf-8", "replace"))
            self.listing.entries.append(self._entry(found))

    def _entry(self, found: Found) -> Entry:
        path = "/".join(found.parts)
        refused = (
            refuse_path(found.parts, self.limits)
            or refuse_kind(path, found.kind)
            or refuse_size(path, found.bytes, self.limits)
        )
        return Entry(path, found.bytes, tuple(found.extents), refused)


def _position(found: Found) -> tuple[int, tuple[str, ...]]:
    return (found.extents[0][0] if found.extents else 0, found.parts)


def merged(bad: dict[int, int]) -> tuple[Span, ...]:
    """Sector positions and lengths as the fewest spans."""
    spans: list[Span] = []
    for start in sorted(bad):
        if spans and spans[-1].start + spans[-1].length == start:
            spans[-1] = Span(spans[-1].start, spans[-1].length + bad[start])
        else:
            spans.append(Span(start, bad[start]))
    return tuple(spans)


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
