"""dcmtk's storescp: files every instance it takes, bit for bit as it came."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from tests.peers import LOOPBACK, accepts, free_port, require, running


@dataclass(frozen=True)
class StoreScp:
    port: int
    folder: Path
    ae_title: str = "STORESCP"
    host: str = LOOPBACK

    def files(self) -> dict[str, Path]:
        """SOP Instance UID to the stored file."""
        files = (p for p in self.folder.iterdir() if p.is_file())
        return {str(dcmread(p, stop_before_pixels=True).SOPInstanceUID): p for p in files}

    def data_sets(self) -> dict[str, bytes]:
        """SOP Instance UID to the stored data set's bytes."""
        return {uid: data_set_of(path.read_bytes()) for uid, path in self.files().items()}


def data_set_of(part10: bytes) -> bytes:
    """What follows the meta group: its length is (0002,0000)'s value (PS3.10 7.1)."""
    assert part10[128:132] == b"DICM"
    assert part10[132:138] == b"\x02\x00\x00\x00UL"
    return part10[144 + int.from_bytes(part10[140:144], "little") :]


@contextmanager
def storescp(folder: Path, *options: str) -> Iterator[StoreScp]:
    """`options` are storescp's own (`+xa` takes every syntax, which is the default here)."""
    port = free_port()
    received = folder / "received"
    received.mkdir()
    command = [require("storescp"), "-od", str(received), "-aet", "STORESCP", "+B"]
    with running([*command, *(options or ("+xa",)), str(port)], folder, lambda: accepts(port)):
        yield StoreScp(port, received)
