"""The hospital's decisions as data: one frozen, validated object read from one TOML file."""

from kiosk.policy.load import ConfigError, Policy, load, state_folder

__all__ = ["ConfigError", "Policy", "load", "state_folder"]
