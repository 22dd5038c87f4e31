"""Every import points down: the one table of rooms that `kiosk/` is held against."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

STAGES = frozenset(
    {"media", "inbound", "adt", "fileset", "identity", "coercion", "delivery", "notify", "audit"}
)
GROUND = frozenset({"policy", "model"})

# Room -> the rooms it may import, beside itself. Stages are ignorant of each other and of rows;
# the demonstration's peers are other people's systems, so they know nothing of us at all.
MAY_IMPORT: dict[str, frozenset[str]] = {
    "model": frozenset(),
    "policy": frozenset({"model"}),
    **dict.fromkeys(STAGES, GROUND),
    "store": GROUND,
    "desk": GROUND | {"store", "identity", "coercion"},
    "sandbox": GROUND | {"media", "fileset", "coercion"},
    "engine": GROUND | STAGES | {"store", "sandbox"},
    "ui": frozenset({"desk", "model"}),
    "cli.demonstration": frozenset(),
    "cli": GROUND | STAGES | {"store", "desk", "sandbox", "engine", "ui", "cli.demonstration"},
    "__main__": GROUND | {"cli"},
}

# Library -> the rooms that own it. What is not named here is not a dependency.
MAY_USE: dict[str, frozenset[str]] = {
    "pydantic": frozenset({"policy"}),
    "pydantic_core": frozenset({"policy"}),
    "sqlalchemy": frozenset({"store"}),
    "alembic": frozenset({"store"}),
    "psycopg": frozenset({"store"}),
    "PySide6": frozenset({"ui"}),
    "pyudev": frozenset({"media"}),
    "dbus_fast": frozenset({"media"}),
    "hl7apy": frozenset({"adt", "notify"}),
    "pydicom": frozenset({"fileset", "coercion", "delivery", "cli.demonstration"}),
    "pynetdicom": frozenset({"delivery", "cli.demonstration"}),
    "pycdlib": frozenset({"cli.demonstration"}),
    "rapidfuzz": frozenset({"identity"}),
    "segno": frozenset({"ui"}),
    # The desk's viewer puts windows over checked arrays, never over a medium's bytes.
    "numpy": frozenset({"fileset", "coercion", "delivery", "ui"}),
    "imagecodecs": frozenset({"fileset", "coercion"}),
    # adt asks a FHIR server who a patient is: the words of the answer are a registration's.
    "httpx2": frozenset({"adt", "delivery", "notify"}),
    "argon2": frozenset({"desk"}),
    "ldap3": frozenset({"desk"}),
    "typer": frozenset({"cli", "__main__"}),
}

MAX_LINES = 400
MAX_MODULES = 8
BANNED_NAMES = frozenset({"util", "utils", "common", "helper", "helpers", "manager", "managers"})
# One file for each change of the schema, for as long as the product lives.
UNBOUNDED_PACKAGES = frozenset({"store/migrations/versions"})


@dataclass(frozen=True)
class Import:
    where: str  # path:line
    room: str
    target: str  # dotted name


def room_of(dotted: str) -> str:
    """The room of a dotted name below `kiosk`: the longest one in the table."""
    parts = dotted.split(".")
    nested = ".".join(parts[:2])
    return nested if nested in MAY_IMPORT else parts[0]


def modules(package: Path) -> Iterator[tuple[str, Path]]:
    """(dotted name below the package, file) of every module; a package's own is its folder's."""
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, path


def imports(name: str, path: Path, package: Path) -> Iterator[Import]:
    inside = f"{package.name}.{name}".split(".")
    if path.name != "__init__.py":
        inside.pop()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = inside[: len(inside) - node.level + 1] if node.level else []
            whole = ".".join([*base, *([node.module] if node.module else [])])
            # `from kiosk import store` imports the room, `from kiosk.store import open` its name.
            targets = [f"{whole}.{a.name}" if whole == package.name else whole for a in node.names]
        else:
            continue
        where = f"{path.relative_to(package.parent)}:{node.lineno}"
        yield from (Import(where, room_of(name), t) for t in dict.fromkeys(targets))


def wrong_imports(package: Path) -> Iterator[str]:
    for name, path in modules(package):
        for found in imports(name, path, package) if name else ():
            yield from _judge(found, package.name)


def _judge(found: Import, package: str) -> Iterator[str]:
    first, _, rest = found.target.partition(".")
    if first == package:
        target = room_of(rest) if rest else ""
        if target in MAY_IMPORT and target not in MAY_IMPORT[found.room] | {found.room}:
            may = ", ".join(sorted(MAY_IMPORT[found.room])) or "no other room"
            yield f"{found.where}: {found.room} imports {target}; it may import {may}"
        return
    if first in sys.stdlib_module_names:
        return
    owners = MAY_USE.get(first)
    if owners is None:
        yield f"{found.where}: {first} is in no room's keeping (MAY_USE)"
    elif found.room not in owners:
        yield f"{found.where}: {found.room} uses {first}, which only {_list(owners)} may"


def _list(rooms: frozenset[str]) -> str:
    return " and ".join(sorted(rooms))


def wrong_shapes(package: Path) -> Iterator[str]:
    """Rooms nobody planned, banned names, modules too long, packages too full, silent rooms."""
    for name, path in modules(package):
        where = path.relative_to(package.parent)
        if name and room_of(name) not in MAY_IMPORT:
            yield f"{where}: {room_of(name)} is no room (MAY_IMPORT)"
        for banned in BANNED_NAMES.intersection(name.split(".")):
            yield f"{where}: {banned} says nothing; name what it is for"
        text = path.read_text(encoding="utf-8")
        if (lines := text.count("\n")) >= MAX_LINES:
            yield f"{where}: {lines} lines; at {MAX_LINES} a module is split"
        if path.name == "__init__.py" and name in MAY_IMPORT and not _docstring(text):
            yield f"{where}: the room does not say what it is for (docstring)"
    yield from _full_packages(package)


def _docstring(text: str) -> str | None:
    return ast.get_docstring(ast.parse(text))


def _full_packages(package: Path) -> Iterator[str]:
    for folder in sorted({path.parent for _, path in modules(package)}):
        held = [p.name for p in folder.glob("*.py") if p.name != "__init__.py"]
        where = folder.relative_to(package).as_posix()
        if not (folder / "__init__.py").exists() and where not in UNBOUNDED_PACKAGES:
            yield f"{where}: is no package (__init__.py)"
        if len(held) > MAX_MODULES and where not in UNBOUNDED_PACKAGES:
            yield f"{where}: {len(held)} modules; past {MAX_MODULES} a package is split"


# -- the house -----------------------------------------------------------------------------------


def test_every_import_points_down_and_every_library_stays_in_its_room() -> None:
    assert not (found := list(wrong_imports(ROOT / "kiosk"))), "\n" + "\n".join(found)


def test_every_room_is_planned_named_and_of_bounded_size() -> None:
    assert not (found := list(wrong_shapes(ROOT / "kiosk"))), "\n" + "\n".join(found)


def test_no_arrow_of_the_table_runs_in_a_circle() -> None:
    order: list[str] = []
    waiting = dict(MAY_IMPORT)
    while ready := [room for room, below in waiting.items() if below <= set(order)]:
        order += ready
        waiting = {room: below for room, below in waiting.items() if room not in ready}
    assert not waiting


# -- the checker itself --------------------------------------------------------------------------


def plant(folder: Path, where: str, text: str) -> Path:
    """A small house with one planted file; every room on the way has its docstring."""
    package = folder / "kiosk"
    path = package / where
    path.parent.mkdir(parents=True)
    for parent in [p for p in path.parents if p == package or package in p.parents]:
        (parent / "__init__.py").write_text('"""A room."""\n')
    path.write_text(text)
    return package


@pytest.mark.parametrize(
    ("where", "text", "says"),
    [
        ("store/rows.py", "import kiosk.engine\n", "store imports engine"),
        ("store/rows.py", "from kiosk import desk\n", "store imports desk"),
        ("fileset/walk.py", "from kiosk.media import read\n", "fileset imports media"),
        ("fileset/walk.py", "def f():\n    from kiosk.store import x\n", "fileset imports store"),
        ("fileset/deep/walk.py", "from ...identity import keys\n", "fileset imports identity"),
        ("ui/him/table.py", "from kiosk.policy import Policy\n", "ui imports policy"),
        ("engine/run.py", "from kiosk.cli import main\n", "engine imports cli"),
        ("cli/demonstration/pacs.py", "from kiosk.delivery import send\n", "imports delivery"),
        ("desk/look.py", "from PySide6.QtCore import QObject\n", "desk uses PySide6"),
        ("engine/rows.py", "import sqlalchemy as sa\n", "engine uses sqlalchemy"),
        ("adt/read.py", "import requests\n", "requests is in no room's keeping"),
    ],
)
def test_a_planted_arrow_up_or_sideways_is_found(
    tmp_path: Path, where: str, text: str, says: str
) -> None:
    found = list(wrong_imports(plant(tmp_path, where, text)))
    assert len(found) == 1
    assert says in found[0]
    assert f"{where}:" in found[0]


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("store/rows.py", "import sqlalchemy\nfrom kiosk.model import work\nimport json\n"),
        ("fileset/walk.py", "from kiosk.fileset.elements import read\nfrom . import elements\n"),
        ("desk/look.py", "from kiosk import identity, store\n"),
        ("engine/run.py", "from kiosk import __version__, coercion, store\n"),
    ],
)
def test_an_arrow_down_is_left_alone(tmp_path: Path, where: str, text: str) -> None:
    assert not list(wrong_imports(plant(tmp_path, where, text)))


@pytest.mark.parametrize(
    ("where", "text", "says"),
    [
        ("store/utils.py", "", "utils says nothing"),
        ("store/long.py", "x = 1\n" * 400, "400 lines"),
        ("attic/box.py", "", "attic is no room"),
    ],
)
def test_a_planted_shape_is_found(tmp_path: Path, where: str, text: str, says: str) -> None:
    assert any(says in line for line in wrong_shapes(plant(tmp_path, where, text)))


def test_a_silent_room_and_a_full_package_are_found(tmp_path: Path) -> None:
    package = plant(tmp_path, "store/rows.py", "")
    (package / "store" / "__init__.py").write_text("")
    for number in range(8):
        (package / "store" / f"more{number}.py").write_text("")
    found = "\n".join(wrong_shapes(package))
    assert "does not say what it is for" in found
    assert "store: 9 modules" in found
