"""Watched folders: what is taken, when, and that nothing is taken twice or lost."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk.inbound import Watched
from kiosk.inbound.folders import is_unfinished
from kiosk.policy.sections import Folders
from tests.inbound.senders import CT, PATIENCE


class Desk:
    """Is told of items; can say that it is not able to take them."""

    def __init__(self, *, able: bool = True) -> None:
        self.able, self.items = able, list[Path]()
        self._changed = threading.Condition()

    def __call__(self, item: Path) -> bool:
        with self._changed:
            self.items.append(item)
            self._changed.notify_all()
        return self.able

    def names(self, count: int) -> list[str]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.items) >= count, PATIENCE)
            return sorted(p.name for p in self.items)


def watching(root: Path, desk: Desk, stable: float = 0.1) -> Watched:
    return Watched(Folders(watched=(root,), stable_seconds=stable), desk)


WAITED_FOR = "not complete yet: it is waited for"
EMPTY_ZIP = b"PK\5\6" + bytes(18)


def put(root: Path, name: str = "study") -> Path:
    (root / name / "below").mkdir(parents=True)
    (root / name / "below" / "1.dcm").write_bytes(CT.read_bytes())
    return root / name


def test_what_lies_there_and_what_comes_later_is_taken(tmp_path: Path) -> None:
    desk = Desk()
    put(tmp_path, "early")
    with watching(tmp_path, desk):
        assert desk.names(1) == ["early"]
        (tmp_path / "disc.iso").write_bytes(b"iso")
        (tmp_path / "portal.ZIP").write_bytes(EMPTY_ZIP)
        assert desk.names(3) == ["disc.iso", "early", "portal.ZIP"]
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]
    (whole,) = (p for p in desk.items if p.name == "early")
    assert (whole / "below" / "1.dcm").read_bytes() == CT.read_bytes()


def test_what_still_grows_is_left_alone(tmp_path: Path) -> None:
    """Stable means: since the last write, not since the first."""
    desk = Desk()
    growing = tmp_path / "big.iso"
    with watching(tmp_path, desk, stable=0.5):
        pause = threading.Event()
        with growing.open("wb") as out:
            for _ in range(30):
                out.write(b"x" * 1000)
                out.flush()
                pause.wait(0.05)
                assert growing.exists()
        assert desk.names(1) == ["big.iso"]
    assert desk.items[0].stat().st_size == 30_000


def volume(blocks: int, size: int) -> bytes:
    """An image of `size` bytes whose volume descriptor states so many blocks (ECMA-119 8.4)."""
    head = bytes(16 * 2048) + b"\1CD001\1" + bytes(73) + blocks.to_bytes(4, "little")
    return (head.ljust(16 * 2048 + 128, b"\0") + b"\0\x08").ljust(size, b"\0")


def test_half_a_download_is_known_by_what_is_missing(tmp_path: Path) -> None:
    for name, data, half in (
        ("a.zip", b"PK\3\4" + bytes(90_000), True),
        ("b.zip", b"PK\3\4" + bytes(90_000) + EMPTY_ZIP, False),
        ("c.iso", volume(100, 99 * 2048), True),
        ("d.iso", volume(100, 100 * 2048), False),
        ("e.img", b"", False),
    ):
        (tmp_path / name).write_bytes(data)
        assert is_unfinished(tmp_path / name) is half, name
    folder = put(tmp_path)
    assert not is_unfinished(folder)
    (folder / "below" / "2.dcm.crdownload").write_bytes(b"")
    assert is_unfinished(folder)


def test_half_a_download_that_stands_still_is_waited_for_and_taken_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, expected_logs: Callable[..., None]
) -> None:
    """It has not changed for far longer than a whole one would need; IT can read why it waits."""
    expected_logs(WAITED_FOR)
    desk, portal = Desk(), tmp_path / "portal.zip"
    portal.write_bytes(b"PK\3\4 half")
    with watching(tmp_path, desk, stable=0.5):
        (tmp_path / "whole.zip").write_bytes(EMPTY_ZIP)
        assert desk.names(1) == ["whole.zip"]
        (tmp_path / "later.zip").write_bytes(EMPTY_ZIP)
        assert desk.names(2) == ["later.zip", "whole.zip"]
        assert portal.exists()
        portal.write_bytes(b"PK\3\4 whole" + EMPTY_ZIP)
        assert desk.names(3) == ["later.zip", "portal.zip", "whole.zip"]
    assert [r.message for r in caplog.records if re.search(WAITED_FOR, r.message)] != []
    assert len(caplog.records) == 1


def test_what_stays_half_is_taken_in_the_end_for_reading_says_what_is_missing(
    tmp_path: Path, expected_logs: Callable[..., None]
) -> None:
    expected_logs(WAITED_FOR)
    desk = Desk()
    (tmp_path / "cut.iso").write_bytes(volume(100, 50_000))
    with watching(tmp_path, desk, stable=0.05):
        assert desk.names(1) == ["cut.iso"]


@pytest.mark.parametrize("name", ["disc.iso.part", ".hidden.iso", "letter.pdf", "x.crdownload"])
def test_what_is_unfinished_or_no_medium_stays_where_it_is(tmp_path: Path, name: str) -> None:
    desk = Desk()
    (tmp_path / name).write_bytes(b"1")
    (tmp_path / "link.iso").symlink_to(CT)
    with watching(tmp_path, desk):
        put(tmp_path)
        assert desk.names(1) == ["study"]
    assert {p.name for p in tmp_path.iterdir()} == {name, "link.iso", "taken"}


def test_what_was_taken_is_not_taken_again_after_a_restart(tmp_path: Path) -> None:
    first, second = Desk(), Desk()
    put(tmp_path, "one")
    with watching(tmp_path, first):
        first.names(1)
    with watching(tmp_path, second):
        put(tmp_path, "two")
        assert second.names(1) == ["two"]


def test_what_the_station_could_not_take_is_told_again_after_a_restart(tmp_path: Path) -> None:
    """Moved already, but not marked: as after a crash between the two."""
    unable, able = Desk(able=False), Desk()
    put(tmp_path)
    with watching(tmp_path, unable):
        unable.names(1)
    with watching(tmp_path, able):
        assert able.names(1) == ["study"]
    assert able.items[0] == unable.items[0]


def test_a_folder_that_is_not_there_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        watching(tmp_path / "missing", Desk())
