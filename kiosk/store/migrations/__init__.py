"""The schema, change by change (Alembic)."""
