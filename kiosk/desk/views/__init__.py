"""From rows to snapshots: one module a desk, each a set of functions of one transaction."""
