"""What people may do: queries answer with frozen snapshots, commands are one transaction each."""

from kiosk.desk.desk import Desk
from kiosk.desk.refusal import Refused
from kiosk.desk.roles import ALLOWED, NOBODY, Doing, Operator, Role, may

__all__ = ["ALLOWED", "NOBODY", "Desk", "Doing", "Operator", "Refused", "Role", "may"]
