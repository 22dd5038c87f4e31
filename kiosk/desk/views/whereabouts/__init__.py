"""Where scans go, and where those that went out are."""

from kiosk.desk.views.whereabouts.going import going
from kiosk.desk.views.whereabouts.gone import LATELY, sent_case, sent_rows

__all__ = ["LATELY", "going", "sent_case", "sent_rows"]
