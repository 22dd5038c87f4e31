"""Volume descriptors (ECMA-119 8; Joliet): where a disc's trees start, session by session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kiosk.media.iso.records import SECTOR, both_orders

Read = Callable[[int, int], bytes]  # (sector, bytes) -> bytes, fewer or none where unreadable

_FIRST = 16
_MOST_DESCRIPTORS = 32
_JOLIET = (b"%/@", b"%/C", b"%/E")
_LARGEST_GAP = 24_000  # sectors between two sessions: 11,400 after the first, and some slack
_STRIDE = 512
_STRAY_ROOTS = 512  # sectors searched for a root directory without descriptors


@dataclass(frozen=True, slots=True)
class Tree:
    """One volume descriptor: the root of one naming of the disc's files."""

    joliet: bool
    label: str
    block: int  # bytes of a logical block
    blocks: int  # the volume's size
    root: int
    root_length: int
    path_table: int
    path_table_length: int
    at: int  # the sector of the descriptor itself
    raw: bytes


@dataclass(frozen=True, slots=True)
class Session:
    start: int  # sector
    primary: Tree | None
    joliet: Tree | None

    @property
    def trees(self) -> tuple[Tree, ...]:
        return tuple(t for t in (self.primary, self.joliet) if t)


def session_at(read: Read, start: int) -> Session | None:
    """The session whose descriptors follow the 16 sectors at `start`, or None."""
    primary = joliet = None
    for number in range(_MOST_DESCRIPTORS):
        sector = read(start + _FIRST + number, SECTOR)
        if len(sector) < SECTOR or sector[0] == 255:
            if len(sector) == SECTOR or number > 4:
                break
            continue  # an unreadable descriptor: the others may do
        tree = _tree(sector, start + _FIRST + number)
        if tree is None:
            if number > 4:
                break
        elif tree.joliet:
            joliet = joliet or tree
        else:
            primary = primary or tree
    return Session(start, primary, joliet) if primary or joliet else None


def sessions(read: Read, sectors: int, last: int | None = None) -> Iterator[Session]:
    """All sessions in order. `last` is where the drive's table of contents says that the last one
    starts; without it (an image file) later descriptors are looked for behind each session."""
    first = session_at(read, 0)
    if first:
        yield first
    if last is not None:
        found = session_at(read, last) if last else None
        if found:
            yield found
        return
    session = first
    while session:
        session = _next_session(read, session, sectors)
        if session:
            yield session


def stray_session(read: Read, sectors: int) -> Session | None:
    """Where all descriptors are lost: a root directory is its own parent (ECMA-119 6.8.2.2)."""
    for at in range(_FIRST + 1, min(sectors, _STRAY_ROOTS)):
        sector = read(at, SECTOR)
        second = sector[0] if sector else 0
        if directory_stands(sector, at) and sector[second + 2 : second + 6] == sector[2:6]:
            length = int.from_bytes(sector[10:14], "little")
            return Session(0, Tree(False, "", SECTOR, sectors, at, length, 0, 0, at, sector), None)
    return None


def _next_session(read: Read, session: Session, sectors: int) -> Session | None:
    tree = session.trees[0]
    size = tree.blocks * tree.block // SECTOR
    end = size if size > session.start + _FIRST else session.start + size
    stop = min(sectors, end + _LARGEST_GAP)
    for at in range(max(end, session.start + _FIRST + 1), stop, _STRIDE):
        chunk = read(at, (min(stop, at + _STRIDE) - at) * SECTOR)
        hit = chunk.find(b"\x01CD001\x01")
        while hit >= 0:
            found = session_at(read, at + hit // SECTOR - _FIRST) if hit % SECTOR == 0 else None
            if found and all(root_stands(read, t) for t in found.trees[:1]):
                return found
            hit = chunk.find(b"\x01CD001\x01", hit + 1)
    return None


def root_stands(read: Read, tree: Tree) -> bool:
    """True where a directory that names itself lies at the tree's root."""
    return directory_stands(read(tree.root * tree.block // SECTOR, SECTOR), tree.root)


def directory_stands(sector: bytes, block: int) -> bool:
    """True for the first sector of a directory: its first record is itself (ECMA-119 6.8.2.2)."""
    own = sector[2:6], sector[6:10]
    spelled = block.to_bytes(4, "little"), block.to_bytes(4, "big")
    return sector[32:34] == b"\x01\x00" and (own[0] == spelled[0] or own[1] == spelled[1])


def _tree(sector: bytes, at: int) -> Tree | None:
    root = sector[156:190]
    named = sector[1:6] == b"CD001" and sector[0] in (1, 2)
    if not named and not _root_is_plain(root):
        return None
    joliet = sector[88:91] in _JOLIET
    if sector[0] == 2 and not joliet:
        return None
    block = int.from_bytes(sector[128:130], "little")
    label = sector[40:72].decode("utf-16-be" if joliet else "utf-8", "replace")
    return Tree(
        joliet=joliet,
        label="".join(c for c in label if c.isprintable()).strip(),
        block=block if block in (512, 1024) else SECTOR,
        blocks=both_orders(sector, 80, (1 << 32) - 1),
        root=both_orders(root, 2, (1 << 31) - 1) + root[1],
        root_length=both_orders(root, 10, (1 << 28) - 1),
        path_table=int.from_bytes(sector[140:144], "little"),
        path_table_length=both_orders(sector, 132, (1 << 24) - 1),
        at=at,
        raw=sector,
    )


def maker(tree: Tree) -> str:
    """What program wrote the disc, as the volume says: its application, else its data preparer
    (ECMA-119 8.4.22, 8.4.21)."""
    for start in (574, 446):
        field = tree.raw[start : start + 128]
        text = field.decode("utf-16-be" if tree.joliet else "latin-1", "replace")
        said = " ".join("".join(c for c in text if c.isprintable()).split())
        if said and not said.startswith("_"):  # the name of a file that would say more
            return said[:64]
    return ""


def _root_is_plain(root: bytes) -> bool:
    """A root record that is right in itself makes up for a damaged signature."""
    return (
        root[0] == 34
        and root[32:34] == b"\x01\x00"
        and root[25] & 2 != 0
        and root[2:6] == root[9:5:-1]
        and root[10:14] == root[17:13:-1]
    )
