"""The commands, as the contract in README and `kiosk --help` has them; nobody imports it."""
