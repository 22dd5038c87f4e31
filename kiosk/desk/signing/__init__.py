"""Signing in and out, and who may: the only way in for people at a screen."""

from kiosk.desk.signing.directory import reach as reach_directory
from kiosk.desk.signing.keeping import Keeping, alerts
from kiosk.desk.signing.lockout import Boot, this_boot
from kiosk.desk.signing.signing_in import SigningIn

__all__ = ["Boot", "Keeping", "SigningIn", "alerts", "reach_directory", "this_boot"]
