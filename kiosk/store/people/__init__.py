"""Who may sign in, and whose tries were refused."""

from kiosk.store.people.people import Origin, People, Person, Standing, login_of
from kiosk.store.people.tries import Tries, TryRow

__all__ = ["Origin", "People", "Person", "Standing", "Tries", "TryRow", "login_of"]
