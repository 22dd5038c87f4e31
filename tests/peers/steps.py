"""A manager of performed procedure steps (PS3.4 F.7 as SCP), by pynetdicom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import ModalityPerformedProcedureStep

from tests.peers import LOOPBACK


@dataclass
class Manager:
    """`created` and `changed` are what came, by SOP Instance UID; `status` is its next answers'."""

    port: int = 0
    ae_title: str = "STEPS"
    host: str = LOOPBACK
    status: int = 0
    knows_all: bool = False  # as after an answer that got lost
    created: dict[str, Dataset] = field(default_factory=dict)
    changed: dict[str, list[Dataset]] = field(default_factory=dict)

    def create(self, event: evt.Event) -> tuple[int, Dataset | None]:
        uid = str(event.request.AffectedSOPInstanceUID)
        if uid in self.created or self.knows_all:
            return 0x0111, None
        if self.status == 0:
            self.created[uid] = event.attribute_list
        return self.status, None

    def set(self, event: evt.Event) -> tuple[int, Dataset | None]:
        uid = str(event.request.RequestedSOPInstanceUID)
        if uid not in self.created and not self.knows_all:
            return 0x0112, None
        self.changed.setdefault(uid, []).append(event.modification_list)
        return self.status, None


@contextmanager
def manager() -> Iterator[Manager]:
    peer = Manager()
    ae = AE(peer.ae_title)
    ae.add_supported_context(ModalityPerformedProcedureStep)
    handlers = [(evt.EVT_N_CREATE, peer.create), (evt.EVT_N_SET, peer.set)]
    server = ae.start_server((LOOPBACK, 0), block=False, evt_handlers=handlers)
    peer.port = server.server_address[1]
    try:
        yield peer
    finally:
        server.shutdown()
