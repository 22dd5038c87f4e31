"""The hospital's decisions as data: one frozen, validated object read from one TOML file."""

from kiosk.policy.conditions import Condition, Facts, facts_of
from kiosk.policy.load import ConfigError, Policy, load, state_folder
from kiosk.policy.receivers import Receiver
from kiosk.policy.routing import Route, Routing, Rule, idle_rules, routes

__all__ = [
    "Condition",
    "ConfigError",
    "Facts",
    "Policy",
    "Receiver",
    "Route",
    "Routing",
    "Rule",
    "facts_of",
    "idle_rules",
    "load",
    "routes",
    "state_folder",
]
