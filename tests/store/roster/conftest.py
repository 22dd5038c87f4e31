"""A store in a folder of its own, with the matcher's own keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk import identity, store


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[store.Store]:
    opened = store.open(
        f"sqlite:///{tmp_path / 'kiosk.db'}",
        keys_of=identity.keys_of,
        name_keys_of=identity.name_keys_of,
    )
    yield opened
    opened.close()
