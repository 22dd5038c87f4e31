"""Reports that governance needs (UX D5): figures over what was brought, ageing of every queue, and
letters to senders. Nothing in them names a patient."""

from kiosk.desk.reporting.figures import BY, FEWEST, UNNAMED, Figures, figures
from kiosk.desk.reporting.letter import Letter, letter
from kiosk.desk.reporting.sheet import as_csv
from kiosk.desk.reporting.waiting import Waiting, waiting

__all__ = [
    "BY",
    "FEWEST",
    "UNNAMED",
    "Figures",
    "Letter",
    "Waiting",
    "as_csv",
    "figures",
    "letter",
    "waiting",
]
