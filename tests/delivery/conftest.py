"""One Orthanc for all tests of the room that do not need their own: it takes seconds to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers import free_port
from tests.peers.orthanc import Orthanc, orthanc

REPORT_PORT = free_port()


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    folder = tmp_path_factory.mktemp("orthanc")
    with orthanc(folder, REPORT_PORT, RegisteredUsers={"kiosk": "s3cret"}) as peer:
        yield peer
