"""Alembic's entry: migrates over the connection that `kiosk.store.open` already holds."""

from alembic import context

from kiosk.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
