"""Directory records of ISO 9660 (ECMA-119 9.1) and their SUSP/Rock Ridge system use (IEEE P1281,
P1282), taken from hostile or damaged sectors: what does not fit is skipped and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

SECTOR = 2048
_MOST_CONTINUATIONS = 8  # CE areas followed for one record


@dataclass(frozen=True, slots=True)
class Record:
    identifier: bytes
    lba: int
    length: int
    directory: bool
    associated: bool
    more_extents: bool
    interleaved: bool
    doubtful: bool  # its numbers differ between the two byte orders
    system_use: bytes


class Damaged:
    """Stands where a directory's sector could not be understood up to the next record."""


DAMAGED = Damaged()


def parse_sector(sector: bytes, blocks: int, strict: bool = False) -> Iterator[Record | Damaged]:
    """The records of one directory sector (a record never crosses a sector: ECMA-119 6.8.1.1).
    `blocks` is the volume's size, to choose between the two byte orders where they differ.
    `strict` takes only what is right in itself: for sectors that may be no directory at all."""
    at = 0
    while at + 34 <= len(sector):
        if not sector[at]:
            at = _resynchronise(sector, at + 2) if any(sector[at:]) else len(sector)
            if at < len(sector):
                yield DAMAGED  # a record follows the zeros that should end the sector
            continue
        if _fits(sector, at) and (not strict or _orders_agree(sector, at)):
            yield _record(sector, at, sector[at], blocks)
            at += sector[at]
            continue
        yield DAMAGED
        following = _resynchronise(sector, at + 2)
        if _orders_agree(sector, at) and 33 + sector[at + 32] <= following - at:
            yield _record(sector, at, following - at, blocks)  # only its length byte is broken
        at = following


def _fits(sector: bytes, at: int) -> bool:
    size, name = sector[at], sector[at + 32]
    return size >= 34 and at + size <= len(sector) and 0 < name <= size - 33


def _orders_agree(sector: bytes, at: int) -> bool:
    lba, length = sector[at + 2 : at + 10], sector[at + 10 : at + 18]
    same = lba[:4] == lba[:3:-1] and length[:4] == length[:3:-1]
    return same and any(lba) and sector[at + 32] > 0


def _big_endian_is_used(sector: bytes, at: int) -> bool:
    """Some writers leave the second order out: that is no damage."""
    return any(sector[at + 6 : at + 10]) or any(sector[at + 14 : at + 18])


def _resynchronise(sector: bytes, at: int) -> int:
    """The next place where a whole record starts, or the sector's end."""
    for here in range(at, len(sector) - 33, 2):
        if sector[here] and _fits(sector, here) and _orders_agree(sector, here):
            return here
    return len(sector)


def _record(sector: bytes, at: int, size: int, blocks: int) -> Record:
    name_end = at + 33 + sector[at + 32]
    flags = sector[at + 25]
    return Record(
        identifier=sector[at + 33 : name_end],
        lba=both_orders(sector, at + 2, blocks) + sector[at + 1],  # after any extended attributes
        length=both_orders(sector, at + 10, blocks * SECTOR),
        directory=bool(flags & 2),
        associated=bool(flags & 4),
        more_extents=bool(flags & 128),
        interleaved=bool(sector[at + 26] or sector[at + 27]),
        doubtful=not _orders_agree(sector, at) and _big_endian_is_used(sector, at),
        system_use=sector[name_end + (name_end - at) % 2 : at + size],
    )


def both_orders(data: bytes, at: int, most: int) -> int:
    """A number kept in both byte orders (ECMA-119 7.3.3): the one that can be true."""
    little = int.from_bytes(data[at : at + 4], "little")
    big = int.from_bytes(data[at + 4 : at + 8], "big")
    return big if little > most >= big and big else little


@dataclass(slots=True)
class RockRidge:
    """What the system use says of one record. `child` is the block of a relocated directory."""

    name: bytes | None = None
    symlink: bool = False
    device: bool = False
    child: int | None = None
    relocated: bool = False
    skip: int | None = None  # bytes to leave out of every other system use (SP)
    compressed: bool = False


def rock_ridge(system_use: bytes, skip: int, read: Callable[[int, int, int], bytes]) -> RockRidge:
    """`read(block, offset, length)` fetches a continuation area; b"" where there is none."""
    found, seen = RockRidge(), set()
    area: bytes = system_use[skip:] if system_use[:2] != b"SP" else system_use
    for _ in range(_MOST_CONTINUATIONS):
        following = None
        for signature, body in _fields(area):
            if signature == b"CE" and len(body) >= 24:
                following = tuple(int.from_bytes(body[i : i + 4], "little") for i in (0, 8, 16))
            elif signature == b"ST":
                break
            else:
                _take(found, signature, body)
        if following is None or following in seen:
            break
        seen.add(following)
        block, offset, length = following
        area = read(block, offset, min(length, SECTOR)) if offset < SECTOR else b""
    return found


def _fields(area: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 4 <= len(area):
        size = area[at + 2]
        if size < 4 or at + size > len(area):
            return
        yield area[at : at + 2], area[at + 4 : at + size]
        at += size


def _take(found: RockRidge, signature: bytes, body: bytes) -> None:
    match signature:
        case b"NM" if body and not body[0] & 6:  # 2 and 4 stand for "." and ".."
            found.name = (found.name or b"") + body[1:]
        case b"SP" if len(body) >= 3 and body[:2] == b"\xbe\xef":
            found.skip = body[2]
        case b"SL":
            found.symlink = True
        case b"PX" if len(body) >= 4:
            kind = int.from_bytes(body[:4], "little") & 0o170000
            found.symlink = found.symlink or kind == 0o120000
            found.device = kind in (0o020000, 0o060000, 0o010000, 0o140000)
        case b"CL" if len(body) >= 4:
            found.child = int.from_bytes(body[:4], "little")
        case b"RE":
            found.relocated = True
        case b"ZF":
            found.compressed = True
