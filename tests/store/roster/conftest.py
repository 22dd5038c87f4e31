"""A store in a folder of its own, with the matcher's own keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kiosk import identity, store


@pytest.fixture
def rows(url: str) -> Iterator[store.Store]:
    opened = store.open(
        url,
        keys_of=identity.keys_of,
        name_keys_of=identity.name_keys_of,
    )
    yield opened
    opened.close()
