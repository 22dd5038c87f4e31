"""What goes wrong is said in a sentence that says what to do next, with an exit code of the
contract; nothing is lost and nothing half-written."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from kiosk.cli.demonstration import pacs, registration
from kiosk.model.work import IntakeState
from tests import discs
from tests.peers import accepts, free_port
from tests.station import Station, dicom, station, until

REFUSED, CONFIGURATION, IN_PART, NOTHING = 1, 2, 4, 5


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """A station whose archive is not there."""
    folder = tmp_path_factory.mktemp("station")
    with station(folder, dicom(free_port(), "PACS")) as made:
        yield made


def said(ended: CompletedProcess[str]) -> str:
    """What a person reads: whole sentences, and no traceback among them."""
    assert "Traceback" not in ended.stderr
    lines = [x for x in ended.stderr.splitlines() if not re.match(r"\d{4}-\d\d-\d\d ", x)]
    text = "\n".join(lines)
    assert re.search(r"[A-Z].+\.\s*$", text), f"no sentence: {text!r}"
    return text


def no_such_file(folder: Path) -> Path:
    return folder / "no-such.iso"


def a_folder_without_dicom(folder: Path) -> Path:
    made = folder / "letters"
    made.mkdir()
    (made / "letter.txt").write_text("Dear colleague")
    return made


def an_empty_folder(folder: Path) -> Path:
    (folder / "nothing").mkdir()
    return folder / "nothing"


def a_zip_that_is_none(folder: Path) -> Path:
    (folder / "scans.zip").write_bytes(b"PK\x03\x04 and then nothing of the kind")
    return folder / "scans.zip"


BAD_MEDIA = [
    (no_such_file, REFUSED, "Check|check"),
    (discs.empty, NOTHING, "Ask the sender"),
    (discs.no_dicom, NOTHING, "Ask the sender"),
    (a_folder_without_dicom, NOTHING, "Ask the sender"),
    (an_empty_folder, NOTHING, "Ask the sender"),
    (discs.corrupt, IN_PART, "ask for a copy"),
    (a_zip_that_is_none, IN_PART, "again|ask"),
]


@pytest.mark.parametrize(("bad", "code", "advice"), BAD_MEDIA)
def test_an_import_of_what_is_no_disc_says_so_and_what_to_do(
    bad: Callable[[Path], Path], code: int, advice: str, here: Station, tmp_path: Path
) -> None:
    ended = here.kiosk("import", str(bad(tmp_path)))
    assert ended.returncode == code
    assert re.search(advice, said(ended))
    with here.rows.read() as tx:
        assert tx.journal.first_broken() is None
        assert all(
            i.state in (IntakeState.REJECTED, IntakeState.FAILED, IntakeState.CLOSED)
            for i in tx.intakes.recent(1000)
        )


@pytest.mark.parametrize(("bad", "code", "advice"), BAD_MEDIA[1::2])
def test_an_inspection_of_what_is_no_disc_says_the_same_among_its_findings(
    bad: Callable[[Path], Path], code: int, advice: str, here: Station, tmp_path: Path
) -> None:
    ended = here.kiosk("inspect", str(bad(tmp_path)), "--json")
    assert ended.returncode == code
    report = json.loads(ended.stdout)
    assert report["patients"] == []
    assert re.search(advice, " ".join(f["detail"] for f in report["findings"]))


def test_a_wrong_key_is_named_with_its_file_and_line_before_anything_is_done(
    tmp_path: Path,
) -> None:
    wrong = tmp_path / "kiosk.toml"
    wrong.write_text('[site]\nname = "x"\n\n[databse]\nurl = ""\n')
    made = Station(tmp_path, wrong, 0, None)  # type: ignore[arg-type]
    disc = str(discs.empty(tmp_path))
    for command in (["import", disc], ["engine"], ["check"]):
        ended = made.kiosk(*command)
        assert ended.returncode == CONFIGURATION, command
        assert f"{wrong}:4: databse: is not a known key." in said(ended)
    assert {p.name for p in tmp_path.iterdir()} == {"kiosk.toml", "empty.iso"}


def test_a_malformed_message_in_a_file_is_counted_explained_and_leaves_the_others_applied(
    here: Station, tmp_path: Path
) -> None:
    good = registration.morning(datetime.now(UTC))[0]
    file = tmp_path / "adt.hl7"
    file.write_bytes(b"\x0bPID|1||oops\r\x1c\r" + b"\x0b" + good.text.encode() + b"\x1c\r")
    ended = here.kiosk("adt", "load", str(file), "--json")
    assert ended.returncode == IN_PART
    counts = json.loads(ended.stdout)
    assert (counts["messages"], counts["applied"], counts["rejected"]) == (2, 1, 1)
    assert "Rejected (1)" in said(ended)
    assert here.kiosk("adt", "show", f"{registration.OTHERS[0].number}^HOSP").returncode == 0


def test_a_file_of_messages_that_is_not_there_is_named(here: Station, tmp_path: Path) -> None:
    ended = here.kiosk("adt", "load", str(tmp_path / "none.hl7"))
    assert ended.returncode == REFUSED
    assert "none.hl7: cannot be read" in said(ended)


def test_a_malformed_message_on_the_wire_is_refused_and_the_feed_goes_on(
    tmp_path: Path,
) -> None:
    """The sender hears AR or AE, never silence, and its next message is taken."""
    with station(tmp_path, dicom(free_port(), "PACS")) as here, here.engine():
        until(lambda: accepts(here.adt_port), "the ADT receiver listens")
        with socket.create_connection(("127.0.0.1", here.adt_port), timeout=60) as wire:
            for message, code in (
                (rb"MSH|^~\&|A|B|C|D|20260101||ADT^A04|BAD1|P|2.5" + b"\rPID|1\r", b"MSA|AE|BAD1"),
                (registration.morning(datetime.now(UTC))[0].text.encode(), b"MSA|AA|"),
            ):
                wire.sendall(b"\x0b" + message + b"\x1c\r")
                assert code in answer(wire)


def answer(wire: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\x1c\r"):
        chunk = wire.recv(4096)
        assert chunk, "the receiver hung up"
        data += chunk
    return data


def test_scans_for_an_archive_that_is_away_are_kept_and_arrive_when_it_is_back(
    tmp_path: Path,
) -> None:
    """The import ends with a sentence; the engine that runs later delivers every instance."""
    port = free_port()
    with station(tmp_path, dicom(port, "PACS")) as here:
        messages = tmp_path / "adt.hl7"
        sent = registration.morning(datetime.now(UTC))
        messages.write_text("\r".join(m.text for m in sent), newline="")
        assert here.kiosk("adt", "load", str(messages)).returncode == 0
        ended = here.kiosk("import", str(discs.marlowe(tmp_path)), "--json")
        assert ended.returncode == REFUSED
        assert re.search("not answering.*The scans are safe here", said(ended), re.DOTALL)
        report = json.loads(ended.stdout)
        assert [s["delivered"] for c in report["cases"] for s in c["studies"]] == [0, 0]
        with pacs.running(tmp_path / "pacs", port=port) as peer, here.engine():
            until(lambda: closed(here, report["intake"]), "the intake is closed")
            assert len(list(peer.folder.glob("*.dcm"))) == 7


def closed(here: Station, ticket: str) -> bool:
    with here.rows.read() as tx:
        intake = tx.intakes.by_ticket(ticket)
    return intake is not None and intake.state is IntakeState.CLOSED
