"""A kiosk's database as a file: copied while it is in use, examined, put back; and whether the
vault still holds what its manifests promise."""

from kiosk.store.backups.examining import Examined, examine, hurt_files, intakes_held
from kiosk.store.backups.files import copy, put_back, thin

__all__ = ["Examined", "copy", "examine", "hurt_files", "intakes_held", "put_back", "thin"]
