"""What a registration event does to the records: IHE ITI-30 and HL7 v2 chapter 3.

Anything odd is acknowledged, raised as an exception for HIM, and never guessed at: a record is
found by its numbers alone, never by resemblance. `applying` knows which rule is an event's,
`registering`, `merging`, `linking` and `accounts` are the rules, `outcome` what is said of them,
`targets` whom they are about.
"""

from kiosk.store.roster.rules.applying import apply

__all__ = ["apply"]
