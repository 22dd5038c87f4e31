"""The statements that lie in docs/ are what the program's own tables say today."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.cli import stating
from kiosk.coercion.encoding.tables import storage_classes
from kiosk.delivery.outcome import reaction
from kiosk.model.delivery import IMPLEMENTATION_CLASS_UID
from kiosk.model.registration import Effect

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", stating.STATEMENTS)
def test_the_statement_in_docs_is_what_the_tables_say(name: str) -> None:
    said = f"run `.venv/bin/kiosk conformance` and commit docs/{name}"
    assert (DOCS / name).read_text(encoding="utf-8") == stating.STATEMENTS[name](), said


def test_every_storage_class_status_and_coerced_attribute_is_listed() -> None:
    text = stating.conformance_statement()
    assert all(f"| {uid} |" in text for uid, _ in storage_classes())
    assert IMPLEMENTATION_CLASS_UID in text
    assert "| A700 |" in text
    assert reaction(0xA700).answer.value in ("retry",)
    for keyword in ("PatientID", "OriginalAttributesSequence", "ContributingEquipmentSequence"):
        assert f"| {keyword} |" in text
    assert "not verified" in text


def test_every_trigger_that_the_roster_knows_is_listed() -> None:
    text = stating.integration_statement()
    for trigger in ("A01", "A08", "A31", "A40", "A43", "A47", "A24", "A37", "O19"):
        assert Effect.of(trigger) is not None
        assert trigger in text


def test_writing_makes_the_folder_and_both_files(tmp_path: Path) -> None:
    paths = stating.write(tmp_path / "new")
    assert [path.name for path in paths] == list(stating.STATEMENTS)
    assert all(path.read_text().startswith("# Kiosk") for path in paths)
