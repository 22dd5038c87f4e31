"""How long the next delivery takes to claim from a long queue, and 4 GB in one instance to send.

    python -m bench.claiming [pending instances, default 1000000] [gigabytes, default 4]

A kiosk whose archive was away for weeks: every instance a delivery of its own, which is the worst.
The goals are 5 ms for a claim with its commit (which waits for no disk: what a power loss frees
may be claimed again), and 200 MB of memory at most while a multi-frame instance of 4 GB is coerced,
hashed and sent.
"""

from __future__ import annotations

import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench.sending import RECEIVERS, Load, by_us, make, outbounds, plan_for, storescp
from kiosk import identity, store
from kiosk.model.delivery import Answer
from kiosk.model.work import DeliveryState
from kiosk.store import tables

STATION = "kiosk-1"
CLAIMS = 200


def queue(rows: store.Store, count: int) -> None:
    """One study's instances, each queued alone; three in four wait for their back-off."""
    later = time.time() + 3600
    with rows.begin() as tx:
        db = tx.connection
        leased = {"lease_owner": "", "lease_token": "", "lease_until": 0.0, "tries": 0}
        db.execute(
            tables.intake.insert(),
            {
                "id": 1,
                "ticket": "MAPLE-1",
                "station": STATION,
                "state": "CATALOGED",
                "medium": {},
                "fingerprint": "",
                "created_at": "",
            },
        )
        case = {"id": 1, "intake": 1, "state": "RELEASED", "stated": {}, "variants": []}
        db.execute(tables.patient_case.insert(), case | {"reasons": [], "created_at": ""})
        study = {"id": 1, "case_id": 1, "study_instance_uid": "1.2", "attributes": {}}
        db.execute(tables.study.insert(), study)
        db.execute(
            tables.series.insert(),
            {"id": 1, "study": 1, "series_instance_uid": "1.2.3", "attributes": {}},
        )
        for start in range(1, count + 1, 50_000):
            numbers = range(start, min(start + 50_000, count + 1))
            db.execute(tables.instance.insert(), [_instance(n) for n in numbers])
            queued = {"case_id": 1, "study": 1, "study_instance_uid": "1.2", "destination": "PACS"}
            queued |= {"state": DeliveryState.QUEUED, "transaction_uid": "", "problem": ""}
            dues = ({"id": n, "due": later if n % 4 else 0.0} for n in numbers)
            db.execute(tables.delivery.insert(), [queued | leased | due for due in dues])
            pending = {"answer": Answer.PENDING, "changes": []}
            db.execute(
                tables.delivery_instance.insert(),
                [pending | {"delivery": n, "instance": n} for n in numbers],
            )


def _instance(number: int) -> dict[str, object]:
    return {
        "id": number,
        "series": 1,
        "sop_instance_uid": f"1.2.3.{number}",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "file": number,
        "path": "",
        "bytes": 0,
        "sha256": "",
        "status": "ok",
        "dataset_offset": 0,
        "pixel_offset": 0,
        "number": "",
        "rows": 0,
        "columns": 0,
        "frames": 1,
    }


def claims(rows: store.Store) -> list[float]:
    """Milliseconds of the clock for each."""
    took = []
    for _ in range(CLAIMS):
        began = time.perf_counter()
        with rows.claiming() as tx:
            assert tx.deliveries.claim(DeliveryState.QUEUED, "PACS", STATION, 60.0) is not None
        took.append((time.perf_counter() - began) * 1000)
    return took


def long_queue(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = store.open(
            f"sqlite:///{folder}/kiosk.db",
            keys_of=identity.keys_of,
            name_keys_of=identity.name_keys_of,
        )
        queue(rows, count)
        with closing(sqlite3.connect(f"{folder}/kiosk.db")) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # or the first claims would do it
        began = time.process_time()
        took = sorted(claims(rows))
        busy = (time.process_time() - began) * 1000 / CLAIMS
        rows.close()
    median, late = statistics.median(took), took[int(0.95 * len(took))]
    print(
        f"{count} pending: a claim takes {median:.2f} ms (median), {late:.2f} ms (95 of 100), of "
        f"which {busy:.2f} ms of the processor"
    )


def large_instance(gigabytes: float) -> None:
    """In a process of its own, so that its peak is this sender's alone."""
    code = f"from bench.claiming import send_one; send_one({gigabytes})"
    subprocess.run([sys.executable, "-c", code], check=True)


def send_one(gigabytes: float) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ((path, instance),) = make(Load("CT", "CT_small.dcm", 512, 1), folder)
        size = int(gigabytes * 1e9) & ~1
        with path.open("r+b") as f:
            f.seek(instance.pixel_offset + 8)
            f.write(min(size, 0xFFFFFFFE).to_bytes(4, "little"))
            f.truncate(instance.pixel_offset + 12 + min(size, 0xFFFFFFFE))  # sparse
        (item,) = outbounds([(path, instance)], plan_for(path))
        with storescp(RECEIVERS[-1]) as port:
            began = time.perf_counter()
            by_us(port, [item])
            took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = size / 1e6 / took
    print(f"{gigabytes:g} GB in one instance: {rate:.0f} MB/s, peak memory {peak:.0f} MB")


def main(arguments: Sequence[str]) -> None:
    count, gigabytes = (arguments or ("1000000", "4"))[:2]
    long_queue(int(count))
    large_instance(float(gigabytes))


if __name__ == "__main__":
    main(sys.argv[1:])
