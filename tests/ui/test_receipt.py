"""The receipt: on the screen and on paper the same words, readable by a phone, and no patient."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import zxingcpp
from PySide6.QtGui import QImage, QPainter
from pytestqt.qtbot import QtBot

from kiosk.desk.snapshots import TouchSnapshot
from kiosk.ui.parts.messages import LANGUAGES
from kiosk.ui.receipt import page
from kiosk.ui.receipt.screen import Page
from tests.ui import samples
from tests.ui.conftest import Opened, look


def picture(receipt: samples.Receipt, scale: float = 8.0) -> QImage:
    """The page as a printer of 8 dots to the millimetre has it."""
    made = page.rows(look(), samples.header(), receipt)
    tall = page.height(made, page.ROLL, scale)
    image = QImage(round(page.ROLL * scale), round(tall * scale), QImage.Format.Format_Grayscale8)
    image.fill(255)
    painter = QPainter(image)
    page.paint(painter, made, page.code_of(receipt), page.ROLL, scale)
    painter.end()
    return image


def codes_in(image: QImage) -> list[str]:
    grey = image.convertToFormat(QImage.Format.Format_Grayscale8)
    view = memoryview(grey.constBits()).cast("B", (grey.height(), grey.bytesPerLine()))
    return [found.text for found in zxingcpp.read_barcodes(view)]


@pytest.mark.parametrize(
    ("link", "said"),
    [("", "MAPLE-27"), ("https://hospital.example/scans/MAPLE-27",) * 2],
)
def test_a_phone_reads_the_ticket_or_the_site_s_page_about_it(
    link: str, said: str, qtbot: QtBot
) -> None:
    """From the paper as it is printed at 203 dpi."""
    assert codes_in(picture(replace(samples.RECEIPT, link=link))) == [said]


def test_a_phone_reads_it_from_the_screen_too(opened: Opened) -> None:
    screen = opened(samples.touch("K9-receipt"))
    assert set(codes_in(screen.grab().toImage())) == {samples.RECEIPT.link}


def test_the_receipt_says_what_was_read_what_is_missing_and_who_has_the_next_step(
    qtbot: QtBot,
) -> None:
    text = "\n".join(each.text for each in page.rows(look(), samples.header(), samples.RECEIPT))
    assert "MAPLE-27" in text
    assert "398 of 412 images read" in text
    assert "Not brought in: 14 damaged images" in text
    assert "The next step is ours" in text
    assert "You may take your disc home." in text
    assert "J.D." in text


@pytest.mark.parametrize("paper", ["roll", "a4"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_paper_is_one_page_in_every_language(paper: str, language: str, qtbot: QtBot) -> None:
    """Nothing is below the edge: the roll is as long as the receipt, the sheet longer."""
    made = page.pdf(
        look(language=language), samples.header(), replace(samples.RECEIPT, paper=paper)
    )
    assert made.startswith(b"%PDF-")
    assert made.count(b"/Type /Page\n") == 1
    words = page.rows(look(language=language), samples.header(), samples.RECEIPT)
    assert page.height(words, page.SHEET, 8.0) < 297


def test_what_is_read_out_is_what_is_printed(opened: Opened, qtbot: QtBot) -> None:
    screen = opened(samples.touch("K9-receipt"))
    shown = screen.findChild(Page)
    assert "398 of 412 images read" in shown.accessibleName()


def test_without_a_printer_nothing_offers_to_print(opened: Opened) -> None:
    with_one = opened(samples.touch("K9-receipt"))
    assert with_one.main is not None
    body = replace(samples.RECEIPT, printer=False)
    assert opened(TouchSnapshot(samples.header(), body)).main is None


def test_pressing_print_hands_over_the_page_that_is_shown(opened: Opened, qtbot: QtBot) -> None:
    screen = opened(samples.touch("K9-receipt"))
    with qtbot.waitSignal(screen.asked) as asked:
        screen.main.click()
    command, needs = asked.args
    assert (command, needs["intake"]) == ("print-receipt", 27)
    assert needs["pdf"].startswith(b"%PDF-")


def test_a_ticket_of_any_length_fits(qtbot: QtBot) -> None:
    """A long link makes a denser code, still one that is read."""
    link = "https://hospital.example/" + "scans/" * 20 + "MAPLE-27"
    assert codes_in(picture(replace(samples.RECEIPT, link=link), 11.8)) == [link]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None cannot die from Python 3.12 on")
def test_drawing_does_not_use_up_none(qtbot: QtBot) -> None:
    """PySide6 6.12.0 lost a reference to None with each call that returns nothing, and ended the
    program by it after some thousand pictures."""
    picture(samples.RECEIPT)
    before = sys.getrefcount(None)
    for _ in range(5):
        picture(samples.RECEIPT)
    assert abs(sys.getrefcount(None) - before) < 100
