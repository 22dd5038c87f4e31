"""UDF (ECMA-167, OSTA UDF 1.02-2.60) read as one more naming of a disc's files, where it lies in
plain partitions, as on mastered discs. Bounded and loop-safe like the ISO trees."""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from kiosk.media.iso.records import SECTOR
from kiosk.media.iso.tree import Found, ReadAt, Walk
from kiosk.policy.sections import Limits

_ANCHOR, _PARTITION, _LOGICAL_VOLUME, _TERMINATOR = 2, 5, 6, 8
_FILE_SET, _IDENTIFIER, _ALLOCATION, _FILE, _EXTENDED_FILE = 256, 257, 258, 261, 266
_DIRECTORY, _SYMLINK = 4, 12
_PLAIN = (0, 5, 249)  # not said, a sequence of bytes, a real-time file
_SHORT, _LONG, _EMBEDDED, _CONTINUED = 0, 1, 3, 3
_DELETED_OR_PARENT = 4 | 8
_MOST_DESCRIPTORS = 64
_MOST_DIRECTORY_BYTES = 1 << 26
_MOST_EXTENTS = 10_000


@dataclass(frozen=True, slots=True)
class Volume:
    """Where a UDF volume's tree starts. `partitions`: the byte of each partition reference."""

    label: str
    anchor: int  # byte
    raw: bytes  # the anchor's sector
    stamp: bytes  # its logical volume and file set: names, and when they were made
    partitions: tuple[int, ...]
    root: tuple[int, int]  # block, partition reference


@dataclass(frozen=True, slots=True)
class _Node:
    """A file entry (ECMA-167 4/14.9): what it is, and where its bytes are."""

    kind: int
    extents: tuple[tuple[int, int], ...]


def volume(read_at: ReadAt, size: int) -> Volume | None:
    """The UDF volume of a disc of `size` bytes, or None (ECMA-167 3/8.4.2.1, UDF 2.2.3)."""
    last = size // SECTOR - 1
    for sector in (256, last, last - 256, 512):
        raw = read_at(sector * SECTOR, SECTOR) if sector > 0 else b""
        if _tag(raw) != _ANCHOR:
            continue
        for at in (16, 24):  # the main sequence of descriptors, and its reserve
            length, start = struct.unpack_from("<II", raw, at)
            found = _from_sequence(read_at, start, length // SECTOR)
            if found:
                label, stamp, partitions, root = found
                return Volume(label, sector * SECTOR, raw, stamp, partitions, root)
    return None


def walk(disc: Volume, read_at: ReadAt, limits: Limits) -> Walk:
    """Every file below the volume's root directory."""
    return _Walker(disc, read_at, limits).run()


def walk_a_little(disc: Volume, read_at: ReadAt, limits: Limits, entries: int) -> Walk:
    """What lies next behind the volume's root directory, so many files and folders."""
    return _Walker(disc, read_at, limits).run(entries)


def _from_sequence(
    read_at: ReadAt, start: int, count: int
) -> tuple[str, bytes, tuple[int, ...], tuple[int, int]] | None:
    """Label, stamp, partitions and root, where this sequence has them."""
    numbered: dict[int, int] = {}
    logical = b""
    for number in range(min(count, _MOST_DESCRIPTORS)):
        sector = read_at((start + number) * SECTOR, SECTOR)
        kind = _tag(sector)
        if kind == _PARTITION:
            numbered[_u16(sector, 22)] = _u32(sector, 188) * SECTOR
        elif kind == _LOGICAL_VOLUME:
            logical = sector
        elif kind == _TERMINATOR:
            break
    if not logical or _u32(logical, 212) != SECTOR:
        return None
    partitions = tuple(_partition_maps(logical, numbered))
    block, reference = _u32(logical, 252), _u16(logical, 256)
    if reference >= len(partitions):
        return None
    file_set = read_at(partitions[reference] + block * SECTOR, SECTOR)
    if _tag(file_set) != _FILE_SET:
        return None
    root = _u32(file_set, 404), _u16(file_set, 408)
    return _dstring(logical[84:212]), logical + file_set, partitions, root


def _partition_maps(logical: bytes, numbered: dict[int, int]) -> Iterator[int]:
    """The start of each mapped partition (ECMA-167 3/10.7). A map of another kind (UDF 2.2.8-10:
    virtual, sparable, metadata) ends them: its blocks lie elsewhere than they say."""
    at, end = 440, min(len(logical), 440 + _u32(logical, 264))
    while at + 6 <= end and logical[at] == 1 and _u16(logical, at + 4) in numbered:
        yield numbered[_u16(logical, at + 4)]
        at += 6


class _Walker:
    def __init__(self, disc: Volume, read_at: ReadAt, limits: Limits) -> None:
        self.disc, self.read_at, self.limits = disc, read_at, limits
        self.walk = Walk()
        self.seen: set[int] = set()
        self.queue: list[tuple[int, tuple[str, ...]]] = []  # file entries, by byte
        self.records = 0

    def run(self, most: int = 1 << 31) -> Walk:
        block, reference = self.disc.root
        self._enter(self._byte(block, reference), ())
        while self.queue and not self.walk.cut and most > 0:
            most -= 1
            at, parts = heapq.heappop(self.queue)
            node = self._node(at)
            if node is None:
                self.walk.damaged.append("/".join(parts))
            elif node.kind == _DIRECTORY:
                self._directory(node, parts)
            else:
                self.walk.files.append(Found(parts, list(node.extents), _kind(node.kind)))
        return self.walk

    def _enter(self, at: int | None, parts: tuple[str, ...]) -> None:
        if at is None:
            self.walk.damaged.append("/".join(parts))
        else:
            heapq.heappush(self.queue, (at, parts))

    def _byte(self, block: int, reference: int) -> int | None:
        if reference >= len(self.disc.partitions):
            return None
        return self.disc.partitions[reference] + block * SECTOR

    def _directory(self, node: _Node, parts: tuple[str, ...]) -> None:
        place = node.extents[0][0] if node.extents else 0
        if place in self.seen:
            self.walk.loops.append("/".join(parts))
            return
        if len(parts) > self.limits.depth:
            self.walk.files.append(Found(parts, [], "folder"))
            return
        self.seen.add(place)
        self.walk.directories += bool(parts)
        content = self._content(node)
        whole = len(content) >= sum(length for _, length in node.extents)
        at = 0
        while at + 38 <= len(content):
            self.records += 1
            if self.records > self.limits.directory_records:
                self.walk.cut = True
                return
            if _tag(content[at : at + 38]) != _IDENTIFIER:
                whole = False
                break
            at += self._identifier(content, at, parts)
        if not whole:
            self.walk.damaged.append("/".join(parts))

    def _identifier(self, content: bytes, at: int, parts: tuple[str, ...]) -> int:
        """Queues what one file identifier names (ECMA-167 4/14.4); returns its length."""
        name_length, use_length = content[at + 19], _u16(content, at + 36)
        start = at + 38 + use_length
        name = _name(content[start : start + name_length])
        if not content[at + 18] & _DELETED_OR_PARENT:
            self._enter(self._byte(_u32(content, at + 24), _u16(content, at + 28)), (*parts, name))
        return (38 + use_length + name_length + 3) // 4 * 4

    def _content(self, node: _Node) -> bytes:
        parts, left = [], _MOST_DIRECTORY_BYTES
        for start, length in node.extents:
            data = self.read_at(start, min(length, left))
            parts.append(data)
            left -= len(data)
            if len(data) < length:
                break
        return b"".join(parts)

    def _node(self, at: int) -> _Node | None:
        entry = self.read_at(at, SECTOR)
        kind = _tag(entry)
        if kind not in (_FILE, _EXTENDED_FILE):
            return None
        fixed = 176 if kind == _FILE else 216
        start = fixed + _u32(entry, fixed - 8)
        size, length = _u32(entry, fixed - 4), int.from_bytes(entry[56:64], "little")
        how = entry[34] & 7
        if how == _EMBEDDED:
            extents = [(at + start, min(size, length))] if length else []
        elif how in (_SHORT, _LONG):
            extents = self._extents(at, entry[start : start + size], how, length)
        else:
            return None
        return _Node(entry[27], tuple(extents))

    def _extents(self, at: int, table: bytes, how: int, length: int) -> list[tuple[int, int]]:
        """Allocation descriptors (ECMA-167 4/14.14) as (byte, length), up to the file's length."""
        home = max((p for p in self.disc.partitions if p <= at), default=0)
        step = 8 if how == _SHORT else 16
        found: list[tuple[int, int]] = []
        seen: set[int] = set()
        while length > 0 and len(table) >= step and len(found) < _MOST_EXTENTS:
            size, block = struct.unpack_from("<II", table)
            start: int | None = home + block * SECTOR
            if how == _LONG:
                start = self._byte(block, _u16(table, 8))
            table = table[step:]
            size, recorded = min(size & 0x3FFFFFFF, length), size >> 30
            if start is None:
                break
            if recorded == _CONTINUED:
                table = self._continuation(start) if start not in seen else b""
                seen.add(start)
            elif size:
                found.append((start, size))
                length -= size
        if length > 0:
            found.append((1 << 62, length))  # its place is not known: it will be named as missing
        return found

    def _continuation(self, start: int) -> bytes:
        sector = self.read_at(start, SECTOR)
        return sector[24 : 24 + _u32(sector, 20)] if _tag(sector) == _ALLOCATION else b""


def _kind(file_type: int) -> str:
    if file_type in _PLAIN:
        return "file"
    return "symlink" if file_type == _SYMLINK else "device"


def _tag(data: bytes) -> int:
    """The descriptor's kind, or -1 where its tag does not check (ECMA-167 3/7.2)."""
    if len(data) < 38 or sum(data[:4] + data[5:16]) & 0xFF != data[4]:
        return -1
    return _u16(data, 0)


def _name(identifier: bytes) -> str:
    """OSTA compressed Unicode (UDF 2.1.1)."""
    kind, body = identifier[:1], identifier[1:]
    name = body.decode("utf-16-be" if kind in (b"\x10", b"\xff") else "latin-1", "backslashreplace")
    return name.replace("\0", "\\x00")


def _dstring(field: bytes) -> str:
    name = _name(field[: field[-1]]) if 0 < field[-1] < len(field) else ""
    return "".join(c for c in name if c.isprintable()).strip()


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")
