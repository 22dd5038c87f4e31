"""Where sessions arrive, instances to send, and a sender that does what a test tells it."""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import threading
from pathlib import Path

from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from kiosk.delivery.dimse.message import NO_DATA_SET, Command, Element, encode_command, fragments
from kiosk.delivery.dimse.negotiation import Proposed, encode_request
from kiosk.model.medium import Medium, StagedFile, read_manifest, staged_name
from kiosk.policy.sections import Inbound, Stow
from tests.delivery.instances import outbound

VERIFICATION = "1.2.840.10008.1.1"
CT = Path(get_testdata_file("CT_small.dcm"))
MR = Path(get_testdata_file("MR_small.dcm"))
J2K = Path(get_testdata_file("JPEG2000.dcm"))
PATIENCE = 20.0


def c_store(**settings: object) -> Inbound:
    """A receiver on a free port whose sessions end at once."""
    return Inbound(enabled=True, quiet_seconds=0.05).model_copy(update={"port": 0} | settings)


def stow(**settings: object) -> Stow:
    return Stow(quiet_seconds=0.05).model_copy(update={"port": 0} | settings)


class Station:
    """Is told of what arrives, and takes it if it is `able` to."""

    def __init__(self, *, able: bool = True) -> None:
        self._able = able
        self._changed = threading.Condition()
        self.arrived: list[Medium] = []

    def __call__(self, medium: Medium) -> bool:
        with self._changed:
            self.arrived.append(medium)
            self._changed.notify_all()
        return self._able

    def sessions(self, count: int = 1) -> list[Medium]:
        """The sessions that arrived, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.arrived) >= count, PATIENCE)
            return list(self.arrived)

    def files(self) -> dict[str, Path]:
        """SOP Instance UID to the staged file, of the one session that arrived; each file is held
        against its line in the manifest first."""
        (medium,) = self.sessions()
        folder = Path(medium.location)
        return {_uid(folder, line): folder / staged_name(line.number) for line in lines(folder)}


def lines(folder: Path) -> list[StagedFile]:
    return list(read_manifest(folder))


def _uid(folder: Path, line: StagedFile) -> str:
    data = (folder / staged_name(line.number)).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (line.bytes, line.sha256)
    uid = dcmread(folder / staged_name(line.number), specific_tags=["SOPInstanceUID"])
    assert line.untrusted_path == f"{uid.SOPInstanceUID}.dcm"
    return str(uid.SOPInstanceUID)


def data_set(part10: bytes) -> bytes:
    """What follows the meta group."""
    return part10[144 + int.from_bytes(part10[140:144], "little") :]


def uid_of(path: Path) -> str:
    return str(dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)


def made(folder: Path, pixels: int) -> Path:
    """A CT instance of about this many bytes, as a file."""
    item = outbound(folder, pixels=pixels).coerce()
    path = folder / f"{item.sop_instance_uid}.dcm"
    pixels_element = item.tail.read_bytes()[item.tail_offset :]
    path.write_bytes(item.meta + item.header + pixels_element)
    return path


class Sender:
    """A connection to a C-STORE receiver, one PDU at a time."""

    def __init__(
        self, port: int, *, associate: bool = True, called: str = "KIOSK", source: str = "127.0.0.1"
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0))
        if associate:
            contexts = [
                Proposed(VERIFICATION, (ExplicitVRLittleEndian,)),
                Proposed(CTImageStorage, (ExplicitVRLittleEndian,)),
            ]
            self.send(encode_request(contexts, called, "SENDER", 16384))
            assert self.pdu()[0] == 0x02

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def order(self, uid: str, sop_class: str = CTImageStorage, context: int = 3) -> None:
        """The command of a C-STORE, whose data set is to follow."""
        command = encode_command(
            {
                Element.AFFECTED_SOP_CLASS_UID: sop_class,
                Element.COMMAND_FIELD: Command.C_STORE_RQ,
                Element.MESSAGE_ID: 1,
                Element.PRIORITY: 0,
                Element.DATA_SET_TYPE: 0,
                Element.AFFECTED_SOP_INSTANCE_UID: uid,
            }
        )
        self.send(b"".join(fragments(context, memoryview(command), 16000, command=True)))

    def data(self, data: bytes, *, last: bool = True, context: int = 3, size: int = 16000) -> None:
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        for number, piece in enumerate(pieces, 1):
            control = 2 if last and number == len(pieces) else 0
            length = len(piece) + 2
            header = struct.pack(">BxIIBB", 4, length + 4, length, context, control)
            self.send(header + piece)

    def store(self, uid: str, data: bytes) -> int:
        """One whole C-STORE; the status that it is answered with."""
        self.order(uid)
        self.data(data)
        return self.status()

    def status_of_echo(self) -> int:
        command = encode_command(
            {
                Element.AFFECTED_SOP_CLASS_UID: VERIFICATION,
                Element.COMMAND_FIELD: Command.C_ECHO_RQ,
                Element.MESSAGE_ID: 1,
                Element.DATA_SET_TYPE: NO_DATA_SET,
            }
        )
        self.send(b"".join(fragments(1, memoryview(command), 16000, command=True)))
        return self.status()

    def status(self) -> int:
        kind, body = self.pdu()
        assert kind == 0x04
        at = body.index(struct.pack("<HHI", 0, Element.STATUS, 2)) + 8
        return int.from_bytes(body[at : at + 2], "little")

    def pdu(self) -> tuple[int, bytes]:
        """The receiver's next PDU; (0, b"") when it closed."""
        header = self._read(6)
        if len(header) < 6:
            return 0, b""
        kind, length = struct.unpack(">BxI", header)
        return kind, self._read(length)

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            try:
                some = self.socket.recv(count - len(data))
            except ConnectionResetError:
                some = b""
            if not some:
                break
            data += some
        return data

    def release(self) -> int:
        """The kind of PDU that answers."""
        self.send(struct.pack(">BxI4x", 5, 4))
        return self.pdu()[0]

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def memory(pid: int | None = None) -> int:
    """Peak resident bytes of a process."""
    status = Path(f"/proc/{pid or os.getpid()}/status").read_text()
    (line,) = (x for x in status.splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
