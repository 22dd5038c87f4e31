"""What is on a medium: staged files (and the DICOMDIR as a claim to check) become patients,
studies, series and instances, and every file ends in one bucket of a ledger that balances."""

from kiosk.fileset.catalog import read
from kiosk.fileset.verdict import first_look

__all__ = ["first_look", "read"]
