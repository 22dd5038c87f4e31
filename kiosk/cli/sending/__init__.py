"""`kiosk destination`: how the archives do, and stopping one."""

from kiosk.cli.sending.destinations import app

__all__ = ["app"]
