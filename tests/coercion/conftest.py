"""Real files break rules that pydicom warns of; the warnings are not what is tested here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydicom import config


@pytest.fixture(autouse=True)
def _pydicom_does_not_warn() -> Iterator[None]:
    reading, writing = (
        config.settings.reading_validation_mode,
        config.settings.writing_validation_mode,
    )
    config.settings.reading_validation_mode = config.IGNORE
    config.settings.writing_validation_mode = config.IGNORE
    yield
    config.settings.reading_validation_mode = reading
    config.settings.writing_validation_mode = writing
