"""What a newcomer and an installation rely on: the README, the lock, the list of packages."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCREEN_LINES = 50


def lock() -> str:
    return (ROOT / "requirements.lock").read_text()


def entries() -> list[str]:
    """Each pinned requirement with its hashes and comments."""
    return re.split(r"\n(?=[a-z0-9])", lock().strip())


def test_the_readme_asks_for_two_commands_and_fits_on_two_screens() -> None:
    readme = (ROOT / "README.md").read_text()
    assert re.findall(r"^    (\w+ \w+)", readme, re.MULTILINE) == ["make run", "make test"]
    assert len(readme.splitlines()) <= 2 * SCREEN_LINES


def test_what_the_readme_shows_and_points_to_is_there() -> None:
    readme = (ROOT / "README.md").read_text()
    shown = re.findall(r"\]\(([^):]+)\)", readme)
    named = re.findall(r"`((?:kiosk|tests|assets)/[\w/.]+|[A-Z]+(?:\.md)?)`", readme)
    missing = [where for where in [*shown, *named] if not (ROOT / where).exists()]
    assert shown
    assert named
    assert not missing


def test_the_lock_names_no_index_and_pins_everything_by_hash() -> None:
    assert not re.search(r"\w+://|--index|--extra-index|--find-links", lock())
    for entry in entries():
        assert re.match(r"[a-z0-9_.-]+==\S+ \\\n", entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_the_lock_holds_every_dependency_that_the_project_declares() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = declared["project"]
    wanted = [
        *project["dependencies"],
        *(r for extra in project["optional-dependencies"].values() for r in extra),
        *declared["build-system"]["requires"],
    ]
    names = {re.split(r"[^A-Za-z0-9_.-]", line)[0].lower() for line in wanted}
    assert names <= {entry.split("==")[0] for entry in entries()}


def test_the_system_packages_are_listed_once_each() -> None:
    command = ["bash", "installer/system-packages", "python", "screen", "peers", "--list"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = listed.split()
    assert {"orthanc", "dcmtk", "libegl1"} <= set(names)
    assert len(set(names)) == len(names)


def test_an_unknown_group_of_system_packages_is_wrong_usage() -> None:
    command = ["bash", "installer/system-packages", "everything"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith("usage:")
