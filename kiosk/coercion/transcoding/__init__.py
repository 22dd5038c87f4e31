"""The same instance in another transfer syntax, for an archive that refuses the one it has: only
where nothing is lost by it (PS3.5 10.1)."""

from kiosk.coercion.transcoding.implicit import transcoded

__all__ = ["transcoded"]
