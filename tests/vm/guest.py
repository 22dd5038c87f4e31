"""Runs in the guest: prints what the kiosk's rows say, a JSON line each time they change. The
standard library only, so that it looks at the product from outside."""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
from typing import Any

LOOK = {
    "intakes": "select state, ticket, medium, failure, report from intake order by id",
    "people": "select intake, stated from patient_case order by id",
    "drives": "select value from drive",
    "progress": "select intake, value from progress",
    "failures": "select intake, data from journal where kind = 'intake.failed' order by id",
}


def seen(database: str) -> dict[str, list[list[Any]]]:
    rows = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
    try:
        return {name: [_plain(r) for r in rows.execute(query)] for name, query in LOOK.items()}
    finally:
        rows.close()


def _plain(row: tuple[Any, ...]) -> list[Any]:
    return [json.loads(v) if isinstance(v, str) and v[:1] in "{[n" else v for v in row]


def main(database: str) -> None:
    last, pause = "", threading.Event()
    while True:
        try:
            now = json.dumps(seen(database))
        except sqlite3.OperationalError:
            now = last  # the engine has not made it yet
        if now != last:
            print(now, flush=True)
        last = now
        pause.wait(0.2)


if __name__ == "__main__":
    main(sys.argv[1])
