"""Memory: rows (SQLAlchemy Core, Alembic) and bytes (the vault). One module per aggregate; every
change of state is one transaction with its journal line."""

from kiosk.store.cases import Outline
from kiosk.store.choosing import Wish
from kiosk.store.database import DatabaseBusy, Store, StoreUnusable, Transaction, open
from kiosk.store.deliveries import Held, Parcel
from kiosk.store.lease import Lease, LeaseLost
from kiosk.store.outgoing import DestinationState, StepRow
from kiosk.store.people import Origin, Person, Standing, TryRow, login_of
from kiosk.store.reporting import Brought
from kiosk.store.vault import Vault

__all__ = [
    "Brought",
    "DatabaseBusy",
    "DestinationState",
    "Held",
    "Lease",
    "LeaseLost",
    "Origin",
    "Outline",
    "Parcel",
    "Person",
    "Standing",
    "StepRow",
    "Store",
    "StoreUnusable",
    "Transaction",
    "TryRow",
    "Vault",
    "Wish",
    "login_of",
    "open",
]
