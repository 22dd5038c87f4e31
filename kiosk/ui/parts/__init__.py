"""What every screen is made of: colours, sizes, words, and the few widgets all desks share."""

import sys
from pathlib import Path


def assets() -> Path:
    """The folder of icons, words and style: beside the package in a checkout, else where the
    wheel's data files were put."""
    beside = Path(__file__).resolve().parents[3] / "assets"
    return beside if beside.is_dir() else Path(sys.prefix) / "share" / "kiosk" / "assets"
