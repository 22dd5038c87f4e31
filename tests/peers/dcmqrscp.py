"""dcmtk's dcmqrscp: a small archive with C-STORE and Study Root C-FIND."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers import LOOPBACK, accepts, free_port, require, running


@dataclass(frozen=True)
class DcmQrScp:
    port: int
    folder: Path
    ae_title: str = "QRPACS"
    host: str = LOOPBACK


_CONFIGURATION = """\
NetworkTCPPort  = {port}
MaxPDUSize      = 16384
MaxAssociations = 16
HostTable BEGIN
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
QRPACS {folder} RW (200, 1024mb) ANY
AETable END
"""


@contextmanager
def dcmqrscp(folder: Path, *options: str) -> Iterator[DcmQrScp]:
    port = free_port()
    archive = folder / "archive"
    archive.mkdir()
    configuration = folder / "dcmqrscp.cfg"
    configuration.write_text(_CONFIGURATION.format(port=port, folder=archive))
    command = [require("dcmqrscp"), "-c", str(configuration), *options]
    with running(command, folder, lambda: accepts(port)):
        yield DcmQrScp(port, archive)
