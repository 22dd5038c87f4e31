"""Debian's Orthanc: an archive with C-STORE, C-FIND, storage commitment and DICOMweb."""

from __future__ import annotations

import base64
import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers import LOOPBACK, free_port, require, running
from tests.peers.storescp import data_set_of

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass(frozen=True)
class Orthanc:
    port: int
    http_port: int
    ae_title: str = "ORTHANC"
    host: str = LOOPBACK
    credentials: str = ""  # "user:password"

    @property
    def url(self) -> str:
        """The DICOMweb service root."""
        return f"http://{self.host}:{self.http_port}/dicom-web"

    def rest(self, path: str, method: str = "GET") -> bytes:
        url = f"http://{self.host}:{self.http_port}{path}"
        request = urllib.request.Request(url, method=method)
        if self.credentials:
            token = base64.b64encode(self.credentials.encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())

    def json(self, path: str) -> Any:
        return json.loads(self.rest(path))

    def data_sets(self, study: str = "") -> dict[str, bytes]:
        """SOP Instance UID to the bytes of the data set as kept there, of one study or all."""
        instances = [
            instance
            for found in self.json("/studies?expand")
            if study in ("", found["MainDicomTags"]["StudyInstanceUID"])
            for instance in self.json(f"/studies/{found['ID']}/instances")
        ]
        return {
            instance["MainDicomTags"]["SOPInstanceUID"]: data_set_of(
                self.rest(f"/instances/{instance['ID']}/file")
            )
            for instance in instances
        }

    def answers(self) -> bool:
        try:
            return bool(self.json("/system"))
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


@contextmanager
def orthanc(folder: Path, report_port: int = 0, **settings: Any) -> Iterator[Orthanc]:
    """`settings` override its configuration file's. A password: `RegisteredUsers={name: word}`.
    Its commitment reports for the AE title KIOSK go to `report_port` on loopback."""
    users = settings.get("RegisteredUsers", {})
    credentials = next((f"{name}:{word}" for name, word in users.items()), "")
    peer = Orthanc(free_port(), free_port(), credentials=credentials)
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps(_configuration(peer, folder, report_port) | settings))
    # Asked to end, it takes three seconds over it, and nobody looks at its files any more.
    end = signal.SIGKILL
    with running([require("Orthanc"), str(configuration)], folder, peer.answers, end):
        yield peer


def _configuration(peer: Orthanc, folder: Path, report_port: int) -> dict[str, Any]:
    return {
        "Name": "Tests",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "RemoteAccessAllowed": False,
        "HttpPort": peer.http_port,
        "AuthenticationEnabled": bool(peer.credentials),
        "DicomAet": peer.ae_title,
        "DicomPort": peer.port,
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowFind": True,
        "UnknownSopClassAccepted": True,
        "OverwriteInstances": False,
        "StableAge": 1,
        "Plugins": [str(PLUGIN)] if PLUGIN.exists() else [],
        "DicomModalities": {"kiosk": ["KIOSK", LOOPBACK, report_port or free_port()]},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
