"""Kiosk: imports patients' discs into the hospital's PACS, under the right patient, and proves it.

The rooms and the arrows between them are listed in `tests/test_architecture.py`, which holds the
code to them; each package's docstring tells what its room is for.
"""

__version__ = "0.1.0"
