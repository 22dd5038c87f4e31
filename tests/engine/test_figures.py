"""`kiosk report`: figures are a recount of what happened and say nothing of few."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kiosk import __main__
from kiosk.desk.reporting import BY, UNNAMED, as_csv, figures, letter, waiting
from kiosk.engine.drives import Drives
from kiosk.model.content import Finding, Ledger, Severity
from kiosk.model.medium import Drive, DriveState, Medium, MediumKind
from kiosk.model.patient import Identifier
from kiosk.model.work import IntakeState
from kiosk.store import Brought
from tests.engine.conftest import Station

EVER = ("2000-01-01", "2999-01-01")


def one(**changed: object) -> Brought:
    """A good disc of St. Mary's, copied in 60 seconds, linked by the matcher."""
    values: dict[str, object] = {
        "ticket": "MAPLE-1",
        "at": "2026-11-24T10:00:00+00:00",
        "station": "kiosk-1",
        "state": IntakeState.CLOSED,
        "medium": Medium(MediumKind.OPTICAL, "/dev/sr0", bytes=500_000_000, maker="BURNER 3"),
        "failure": None,
        "ledger": Ledger(files=5, ok=5),
        "senders": ("St. Mary",),
        "studies": 2,
        "until": {"verdict": 5.0, "copied": 60.0},
        "cases": 1,
        "automatic": 1,
    }
    return Brought(**(values | changed))  # type: ignore[arg-type]


def failed(code: str, severity: Severity = Severity.ERROR) -> Brought:
    return one(failure=Finding(code, severity), ledger=None, senders=(), cases=0, automatic=0)


def brought(here: Station) -> list[Brought]:
    with here.rows.read() as tx:
        return list(tx.reports.brought(*EVER))


def test_each_medium_is_counted_once_with_what_became_of_it(
    here: Station, known: Path, unsure: Path
) -> None:
    """One disc was linked by the matcher, the other's patient by HIM; both name their hospital."""
    here.register()
    here.insert(known)
    here.insert(unsure)
    here.work()
    first, second = brought(here)
    assert (first.cases, first.automatic, first.by_people, first.studies) == (1, 1, 0, 2)
    assert (second.cases, second.automatic, second.by_people) == (1, 0, 0)
    proposal = here.case(2).proposal
    assert proposal is not None
    here.decide(2, proposal.candidates[0].local.identity.identifier.value)
    assert brought(here)[1].by_people == 1
    with here.rows.read() as tx:
        kinds = [e.kind for e in tx.journal.since(0)]
    assert sum(x.cases for x in brought(here)) == kinds.count("case.opened")
    assert len(brought(here)) == kinds.count("intake.received")
    assert {"verdict", "copied"} >= set(first.until) >= {"copied"}


def test_a_disc_linked_to_another_than_was_picked_is_a_wrong_patient(
    here: Station, unsure: Path
) -> None:
    here.register()
    here.insert(unsure, picked=Identifier("0099999", "HOSP"))
    here.work()
    proposal = here.case(1).proposal
    assert proposal is not None
    here.decide(1, proposal.candidates[0].local.identity.identifier.value)
    assert brought(here)[0].otherwise == 1


def test_the_disc_is_back_in_hand_when_its_drive_says_so_after_the_copy(
    here: Station, known: Path
) -> None:
    """Pulled out while it was read it is not back: it is asked for again."""
    drive = Drive("SERIAL-1", str(known), "left drive", DriveState.DISC_OK)
    watching = Drives(here.engine.site)
    watching.changed(drive)
    watching.changed(Drive("SERIAL-1", str(known), "left drive", DriveState.NO_DISC))
    assert "returned" not in brought(here)[0].until
    watching.changed(drive)
    here.work()
    here.pass_(seconds=30)
    watching.changed(Drive("SERIAL-1", str(known), "left drive", DriveState.TRAY_OPEN))
    watching.changed(Drive("SERIAL-1", str(known), "left drive", DriveState.NO_DISC))
    assert brought(here)[0].until["returned"] >= 29
    with here.rows.read() as tx:
        assert [e.kind for e in tx.journal.since(0)].count("intake.returned") == 1


def test_shares_and_times_are_of_all_that_came(here: Station) -> None:
    lines = [one() for _ in range(6)]
    lines += [failed("medium-unreadable"), failed("no-dicom"), failed("encrypted")]
    lines += [failed("limit-files", Severity.UNSAFE), one(cases=2, not_ours=1)]
    lines += [one(ledger=Ledger(files=5, ok=4, damaged=1), until={"copied": 600.0})]
    everything = figures(lines, "site")[-1]
    assert everything.media == 12
    for share in ("unreadable", "no_scans", "locked", "unsafe", "several", "damaged"):
        assert getattr(everything, share) == pytest.approx(1 / 12), share
    assert everything.wrong_patient == pytest.approx(1 / 12)
    assert everything.automatic == 1.0
    assert everything.copied == (60.0, 600.0)
    assert everything.returned is None


def test_of_fewer_than_five_only_the_counts_are_said() -> None:
    (line, _) = figures([one(), one(), one(), failed("no-dicom")], "way")
    assert (line.name, line.media, line.automatic, line.no_scans, line.copied) == (
        "optical",
        4,
        None,
        None,
        None,
    )


def test_lines_are_by_day_in_order_and_else_by_how_many_came() -> None:
    lines = [one(senders=("A",)), one(), one(), failed("medium-unreadable")]
    assert [x.name for x in figures(lines, "sender")] == ["St. Mary", UNNAMED, "A", ""]
    days = [one(at="2026-11-25T10:00:00+00:00"), one(), one()]
    assert [(x.name, x.media) for x in figures(days, "day")] == [
        ("2026-11-24", 2),
        ("2026-11-25", 1),
        ("", 3),
    ]
    assert set(BY) == {"day", "site", "sender", "software", "way"}


def test_a_sheet_has_a_column_for_each_figure_and_no_formula_from_a_disc() -> None:
    text = as_csv(figures([one(senders=("=cmd|calc",)) for _ in range(5)], "sender"))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["name"] == "'=cmd|calc"
    assert (rows[0]["media"], rows[0]["copied_median"], rows[0]["automatic"]) == (
        "5",
        "60.0",
        "1.0",
    )
    assert rows[1]["name"] == ""


def test_a_letter_says_what_was_wrong_and_what_would_help() -> None:
    lines = [one() for _ in range(4)] + [
        one(findings=frozenset({"damaged-instance", "several-people"})),
        one(senders=("Elsewhere",), findings=frozenset({"uid-invalid"})),
    ]
    written = letter(lines, "st. mary", "City Hospital", "2026-11-01", "2026-11-30")
    assert written is not None
    assert "5 discs from you, 2.5 GB in all" in written.text
    assert "1 of them held images that could not be read whole" in written.text
    assert "more than one patient" in written.text
    assert "UIDs" not in written.text


def test_no_letter_is_written_about_a_few_discs() -> None:
    assert letter([one()] * 4, "St. Mary", "City Hospital", "2026-11-01", "2026-11-30") is None


def test_every_queue_says_how_many_wait_and_how_long_the_oldest_does(
    here: Station, known: Path, unsure: Path
) -> None:
    """The first disc's two studies wait for an archive that nobody answers at, the second for HIM,
    the third was not read yet."""
    here.register()
    here.insert(known)
    here.insert(unsure)
    here.work()
    here.pass_(hours=25)
    here.insert(known)
    with here.rows.read() as tx:
        queues = {each.queue: each for each in waiting(tx, here.at)}
    assert (queues["reading"].waiting, queues["reading"].hour) == (1, 0)
    assert (queues["decision"].waiting, queues["decision"].day) == (1, 1)
    assert queues["sending"].waiting + queues["stopped"].waiting == len(here.deliveries(1))
    assert queues["decision"].oldest >= 25 * 3600 - 60


def test_the_command_prints_lines_a_sheet_or_a_document(tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[database]\nstate = "{tmp_path / "state"}"\n')
    run = CliRunner()
    asked = ["report", "--config", str(config)]
    done = run.invoke(__main__.app, [*asked, "--by", "sender", "--csv"])
    assert done.exit_code == 0
    assert done.stdout.startswith("name,media,studies,")
    done = run.invoke(__main__.app, [*asked, "--by", "nonsense"])
    assert done.exit_code == 2
    done = run.invoke(__main__.app, [*asked, "--letter", "St. Mary"])
    assert done.exit_code == 1
    assert "too few" in done.output
    done = run.invoke(__main__.app, asked)
    assert "all together" in done.output
