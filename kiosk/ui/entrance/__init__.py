"""K2 and who stands at the screen: badge, PIN and password. What is typed here is kept in no widget
as text."""

from kiosk.ui.entrance.door import Door
from kiosk.ui.entrance.secret import Secret
from kiosk.ui.entrance.sign_in import SignInScreen

__all__ = ["Door", "Secret", "SignInScreen"]
