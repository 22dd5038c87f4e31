"""Walking one tree of an ISO 9660 volume: bounded, loop-safe, and going on after damage."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from kiosk.media.iso.descriptors import Tree, directory_stands
from kiosk.media.iso.records import (
    DAMAGED,
    SECTOR,
    Damaged,
    Record,
    RockRidge,
    parse_sector,
    rock_ridge,
)
from kiosk.policy.sections import Limits

ReadAt = Callable[[int, int], bytes]  # (byte, bytes) -> bytes, fewer or none where unreadable

_MOST_DIRECTORY_BYTES = 1 << 26
_LOOK_SECTORS = 48


@dataclass(slots=True)
class Found:
    """A file as one tree names it. `kind` is `file`, `symlink`, `device`, `compressed`,
    `interleaved` or `folder` (one that was not entered); `extents` are (byte, length)."""

    parts: tuple[str, ...]
    extents: list[tuple[int, int]]
    kind: str = "file"
    doubtful: bool = False

    @property
    def bytes(self) -> int:
        return sum(length for _, length in self.extents)


@dataclass(slots=True)
class Walk:
    """What a walk found. `damaged` names folders that are not whole, `loops` those met twice."""

    rock_ridge: bool = False
    files: list[Found] = field(default_factory=list)
    directories: int = 0
    damaged: list[str] = field(default_factory=list)
    mended: bool = False  # another tree is whole and lists all that was found
    disputed: bool = False  # two trees differ on a file, and neither is known to be wrong
    loops: list[str] = field(default_factory=list)
    cut: bool = False  # the limit on records was reached: there is more
    relocated: set[tuple[str, ...]] = field(default_factory=set)  # Rock Ridge's own folders


def walk(tree: Tree, read_at: ReadAt, size: int, limits: Limits) -> Walk:
    """Every file below the tree's root, then below any directory that only the path table knows.
    `size` is the medium's, in bytes."""
    return _Walker(tree, read_at, size, limits).run()


def walk_a_little(tree: Tree, read_at: ReadAt, size: int, limits: Limits, folders: int) -> Walk:
    """Files of the root and of the folders that lie next on the disc, so many in all, and no more
    than their first sectors tell."""
    return _Walker(tree, read_at, size, limits).look(folders)


class _Walker:
    def __init__(self, tree: Tree, read_at: ReadAt, size: int, limits: Limits) -> None:
        self.tree, self.read_at, self.size, self.limits = tree, read_at, size, limits
        self.walk = Walk()
        self.skip = 0  # SUSP bytes to skip, from the root's SP
        self.seen: dict[int, tuple[str, ...]] = {}
        self.queue: list[tuple[int, int, tuple[str, ...]]] = []  # by block: the disc's order
        self.records = 0
        self.sectors = 4 * limits.directory_records  # that may still be looked at

    def run(self) -> Walk:
        self._enter(self.tree.root, self.tree.root_length, ())
        self._drain()
        for block, parts in self._path_table():
            start = self.read_at(block * self.tree.block, SECTOR)
            if block not in self.seen and directory_stands(start, block):
                self.walk.damaged.append("/".join(parts))
                self._enter(block, int.from_bytes(start[10:14], "little"), parts)
                self._drain()
        self.walk.directories -= len(self.walk.relocated)
        folders = {block * self.tree.block for block in self.seen}
        self.walk.files = [
            f for f in self.walk.files if not (f.extents and f.extents[0][0] in folders)
        ]
        return self.walk

    def look(self, folders: int) -> Walk:
        self.sectors = _LOOK_SECTORS
        self._enter(self.tree.root, self.tree.root_length, ())
        self._drain(folders)
        return self.walk

    def _enter(self, block: int, length: int, parts: tuple[str, ...]) -> None:
        if block in self.seen:
            self.walk.loops.append("/".join(parts))
        elif len(parts) > self.limits.depth:
            self.seen[block] = parts
            self.walk.files.append(Found(parts, [], "folder"))
        else:
            self.seen[block] = parts
            heapq.heappush(self.queue, (block, length, parts))

    def _drain(self, most: int = 1 << 31) -> None:
        while self.queue and not self.walk.cut and most > 0:
            block, length, parts = heapq.heappop(self.queue)
            self.walk.directories += bool(parts)
            self._directory(block, length, parts)
            most -= 1

    def _directory(self, block: int, length: int, parts: tuple[str, ...]) -> None:
        start = block * self.tree.block
        first = self.read_at(start, SECTOR)
        stands = directory_stands(first, block)
        own = int.from_bytes(first[10:14], "little")
        whole = (stands and own in (length, 0)) or not length
        if stands and own and first[10:14] == first[17:13:-1]:
            length = own
        entered = len(self.walk.files) + len(self.queue)
        pending: Found | None = None
        for item in self._records(start, min(length, _MOST_DIRECTORY_BYTES), not stands):
            self.records += 1
            if self.records > self.limits.directory_records or self.sectors < 0:
                self.walk.cut = True
                break
            whole = whole and not (isinstance(item, Damaged) or item.doubtful)
            if isinstance(item, Record):
                pending = self._take(item, parts, pending)
        if not stands and parts and entered == len(self.walk.files) + len(self.queue):
            self.walk.files.append(Found(parts, [(start, length)]))  # a file, called a folder
        if not whole:
            self.walk.damaged.append("/".join(parts))

    def _records(self, start: int, length: int, strict: bool) -> Iterator[Record | Damaged]:
        for at in range(start, start + length, SECTOR):
            sector = self.read_at(at, SECTOR)
            self.sectors -= 1
            another = at > start and sector[32:34] == b"\1\0"
            if len(sector) < SECTOR or self.sectors < 0 or another:
                yield DAMAGED
            if at >= self.size or another:
                return
            yield from parse_sector(sector, self.tree.blocks, strict)

    def _take(self, r: Record, parts: tuple[str, ...], pending: Found | None) -> Found | None:
        """Files or queues one record; returns the file whose next extent may follow."""
        susp = self._rock_ridge(r)
        if r.identifier in (b"\0", b"\1"):
            if not parts and r.identifier == b"\0" and susp.skip is not None:
                self.skip, self.walk.rock_ridge = susp.skip, True
            return None
        self.walk.rock_ridge |= not parts and susp.name is not None
        here = (*parts, self._name(r, susp))
        if susp.relocated:
            self.walk.relocated.add(parts)
            return None  # entered where its CL stands
        if susp.child is not None:
            self._enter(susp.child, 0, here)
        elif r.directory:
            self._enter(r.lba, r.length, here)
        else:
            return self._file(r, susp, here, pending)
        return None

    def _file(
        self, r: Record, susp: RockRidge, here: tuple[str, ...], pending: Found | None
    ) -> Found | None:
        extent = (r.lba * self.tree.block, r.length)
        if pending is not None and pending.parts == here:
            pending.extents.append(extent)
        else:
            pending = Found(here, [extent] if r.length else [], _kind(r, susp), r.doubtful)
            self.walk.files.append(pending)
        return pending if r.more_extents else None

    def _rock_ridge(self, r: Record) -> RockRidge:
        if self.tree.joliet:
            return RockRidge()
        return rock_ridge(r.system_use, self.skip, self._continuation)

    def _continuation(self, block: int, offset: int, length: int) -> bytes:
        return self.read_at(block * self.tree.block + offset, length)

    def _name(self, r: Record, susp: RockRidge) -> str:
        if susp.name:
            return susp.name.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
        name = plain_name(r.identifier, self.tree.joliet)
        return "._" + name if r.associated else name

    def _path_table(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """The directories of the path table (ECMA-119 9.4), each with its components."""
        length = min(self.tree.path_table_length, 1 << 22)
        table = self.read_at(self.tree.path_table * self.tree.block, length)
        paths: list[tuple[str, ...]] = [()]
        at = 0
        while at + 8 < len(table) and table[at] and len(paths) <= self.limits.directory_records:
            size = table[at]
            block = int.from_bytes(table[at + 2 : at + 6], "little") + table[at + 1]
            parent = int.from_bytes(table[at + 6 : at + 8], "little")
            if at and 0 < parent < len(paths):
                name = plain_name(table[at + 8 : at + 8 + size], self.tree.joliet)
                paths.append(self.seen.get(block, (*paths[parent], name)))
            else:
                paths.append(())
            yield block, paths[-1]
            at += 8 + size + size % 2


def _kind(r: Record, susp: RockRidge) -> str:
    if susp.symlink:
        return "symlink"
    if susp.device:
        return "device"
    if susp.compressed:
        return "compressed"
    return "interleaved" if r.interleaved else "file"


def plain_name(identifier: bytes, joliet: bool) -> str:
    """A file identifier without version and without the dot of an empty extension."""
    name = identifier.decode("utf-16-be" if joliet else "utf-8", "backslashreplace")
    name = name.rstrip("\0").replace("\0", "\\x00")
    stem, separator, version = name.rpartition(";")
    if separator and ((version.isascii() and version.isdigit()) or not version):
        name = stem
    return name[:-1] if not joliet and name.endswith(".") and name != "." else name
