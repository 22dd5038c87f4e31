"""The receipt: what a patient takes home is true at its moment, names nobody, and is printed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kiosk.desk import Refused, Role
from kiosk.desk.receipts import printer_problem
from kiosk.desk.snapshots import Receipt, Result, Stage
from kiosk.model.content import Finding, Ledger, Severity, StatedPatient, Verdict
from kiosk.model.delivery import Answer
from kiosk.model.plain import to_plain
from kiosk.model.work import DeliveryState
from kiosk.policy.sections import Receipt as ReceiptPolicy
from tests.desk.conftest import JANE, JON, World, study
from tests.peers.cups import Printer, cups
from tests.station import until

PDF = b"%PDF-1.4 a page"


def sent(world: World) -> int:
    """Jane's disc, matched, released, and on its way."""
    world.register("0012345", JANE.name, "19620314", "F")
    intake = world.insert()
    world.catalog(StatedPatient(JANE, (study("1.2.1", 3),)))
    world.match()
    world.release()
    return intake


def receipt(world: World, intake: int) -> Receipt:
    body = world.desk().receipt(intake).body
    assert isinstance(body, Receipt)
    return body


def said(shown: Receipt) -> list[str]:
    return [line.id for line in shown.lines]


def test_it_follows_what_became_of_the_scans(world: World) -> None:
    """On its way the next step is ours; checked, nothing is left to do."""
    intake = sent(world)
    before = receipt(world, intake)
    assert (before.studies[0].images, before.studies[0].stage) == (3, Stage.WAITING)
    assert said(before)[-1] == "receipt.us"
    world.answer(1, Answer.VERIFIED, 3)
    world.move(DeliveryState.SENT)
    world.move(DeliveryState.COMMITTED)
    after = receipt(world, intake)
    assert after.studies[0].stage is Stage.CHECKED
    assert said(after)[-1] == "receipt.nothing-to-do"
    assert after.at == world.at.isoformat(timespec="seconds")


def test_it_says_initials_and_no_more_of_whom_it_is_about(world: World) -> None:
    shown = receipt(world, sent(world))
    assert shown.initials == "J.D."
    text = str(to_plain(shown))
    for part in ("DOE", "JANE", "19620314", "A99", "0012345"):
        assert part not in text


def test_a_look_that_was_taken_back_names_nobody_on_paper(world: World) -> None:
    """KX-105 says whose scans these are to whoever signed in; a page in a waiting room does not."""
    intake = world.insert()
    with world.store.begin() as tx:
        tx.intakes.set_verdict(intake, Verdict("no-dicom", whole=True))
    world.catalog(StatedPatient(JANE, (study("1.2.1", 3),)))
    world.match()
    shown = receipt(world, intake)
    assert said(shown) == ["label.safe-here", "KX-142", "receipt.us"]
    for part in ("DOE", "JANE", "1962"):
        assert part not in str(shown)


def test_of_two_people_it_has_no_initials(world: World) -> None:
    intake = world.insert()
    patients = (JANE, "1.2.1"), (JON, "1.2.2")
    world.catalog(*(StatedPatient(who, (study(uid, 1),)) for who, uid in patients))
    world.match()
    assert receipt(world, intake).initials == ""


def test_a_patient_whom_him_will_settle_goes_home_with_one_too(world: World, awaiting: int) -> None:
    shown = receipt(world, 1)
    assert said(shown)[0] == "label.safe-here"
    assert said(shown)[-1] == "receipt.us"


def test_a_disc_that_brought_nothing_has_one_that_asks_for_a_new_copy(world: World) -> None:
    intake = world.insert()
    world.fail(Finding("medium-unreadable", Severity.ERROR, detail="Nothing could be read."))
    shown = receipt(world, intake)
    assert said(shown)[-1] == "receipt.sender"
    assert shown.studies == ()


def test_what_could_not_be_read_is_on_it(world: World) -> None:
    world.register("0012345", JANE.name, "19620314", "F")
    intake = world.insert()
    hurt = Ledger(files=5, ok=3, damaged=2)
    world.catalog(StatedPatient(JANE, (study("1.2.1", 3),)), ledger=hurt)
    world.match()
    world.release()
    lines = [line for line in receipt(world, intake).lines if line.id == "receipt.left-out"]
    assert [line.values["what"].values for line in lines] == [{"n": 2}]  # type: ignore[union-attr]


def test_the_next_disc_takes_the_receipt_off_the_screen(world: World) -> None:
    """It is never left standing for the next patient."""
    intake = sent(world)
    world.wait(minutes=1)
    world.insert()
    assert not isinstance(world.desk().receipt(intake).body, Receipt | Result)


def test_the_site_s_page_has_the_ticket_in_it(world: World) -> None:
    link = ReceiptPolicy(link="https://hospital.example/scans/{ticket}")
    world.policy = world.policy.model_copy(update={"receipt": link})
    shown = receipt(world, sent(world))
    assert shown.link == f"https://hospital.example/scans/{shown.ticket}"


@pytest.fixture
def printer(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Printer]:
    with cups() as found:
        monkeypatch.setenv("CUPS_SERVER", str(found.socket))
        slips = ReceiptPolicy(printer=found.queue)
        world.policy = world.policy.model_copy(update={"receipt": slips})
        yield found


@pytest.mark.peer("cupsd", "lp", "lpadmin")
def test_what_is_printed_is_in_the_queue_under_its_ticket(world: World, printer: Printer) -> None:
    """The page as it is; the queue's list, which everybody sees, has the ticket for a title."""
    intake = sent(world)
    world.desk().print_receipt(intake, PDF)
    assert printer.taken() == [PDF]
    ticket = receipt(world, intake).ticket.encode()
    until(lambda: any(ticket in job for job in printer.listed()), "the queue's list is written")
    assert world.events("intake.receipt-printed") == 1


@pytest.mark.peer("cupsd", "lp", "lpadmin")
def test_a_printer_that_takes_nothing_is_said_with_the_number(
    world: World, printer: Printer
) -> None:
    intake = sent(world)
    printer.run("cupsreject", printer.queue)
    with pytest.raises(Refused) as refused:
        world.desk().print_receipt(intake, PDF)
    message = refused.value.message
    assert (message.id, message.values["ticket"]) == ("KX-160", receipt(world, intake).ticket)
    assert world.events("intake.receipt-printed") == 0


def test_without_a_printer_nothing_is_printed(world: World) -> None:
    with pytest.raises(Refused, match="KX-160"):
        world.desk().print_receipt(sent(world), PDF)


def test_while_a_disc_is_read_there_is_nothing_to_print(world: World) -> None:
    intake = world.insert()
    with pytest.raises(Refused, match="KX-161"):
        world.desk().print_receipt(intake, PDF)


def test_only_who_brings_discs_in_prints_receipts(world: World) -> None:
    intake = sent(world)
    with pytest.raises(Refused):
        world.desk(Role.IT).print_receipt(intake, PDF)


@pytest.mark.peer("cupsd", "lp", "lpadmin")
def test_a_queue_that_prints_nothing_is_named_to_it(printer: Printer) -> None:
    """Unknown, stopped or closed to jobs, in CUPS's own words."""
    assert printer_problem(printer.queue) == ""
    printer.run("cupsdisable", printer.queue)
    assert "disabled" in printer_problem(printer.queue)
    printer.run("cupsenable", printer.queue)
    printer.run("cupsreject", printer.queue)
    assert "not accepting" in printer_problem(printer.queue)
    assert printer_problem("NOWHERE") != ""
