"""The policies that are shipped as examples can be used as they are, and say nothing idle."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from kiosk.cli.governing.replaying import remarks
from kiosk.policy import load

FOLDER = Path(__file__).parents[2] / "assets" / "policies"
EXAMPLES = sorted(FOLDER.glob("*.toml"))


def test_there_is_one_for_each_kind_of_hospital() -> None:
    names = [path.stem for path in EXAMPLES]
    assert names == ["academic-centre", "small-clinic", "trauma-centre"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_complete_and_owned(path: Path) -> None:
    policy = load(path)
    assert remarks(policy) == []
    assert policy.governance.owner
    assert policy.governance.reason
    assert policy.governance.review is not None
    assert policy.governance.review > date(2026, 11, 24)
    assert policy.destination
    assert policy.notify
    assert policy.identity.local_issuer == policy.adt.default_authority
