"""Figures as a sheet: comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import fields

from kiosk.desk.reporting.figures import Figures

# A spreadsheet takes text that begins so for a formula, and what comes off a disc may be one.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(lines: Iterable[Figures]) -> str:
    """RFC 4180, a header line first. Times are two columns, median and 95th percentile, in seconds;
    empty where too few are behind a figure."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_columns())
    for line in lines:
        row: list[object] = []
        for each in fields(line):
            value = getattr(line, each.name)
            if each.name in TIMES:
                row += [round(x, 1) for x in value] if value else ["", ""]
            elif isinstance(value, float):
                row.append(round(value, 4))
            else:
                row.append("" if value is None else _plain(value))
        writer.writerow(row)
    return out.getvalue()


TIMES = ("verdict", "copied", "returned", "done")


def _columns() -> list[str]:
    names = [each.name for each in fields(Figures)]
    return [
        column
        for name in names
        for column in ((f"{name}_median", f"{name}_p95") if name in TIMES else (name,))
    ]


def _plain(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
