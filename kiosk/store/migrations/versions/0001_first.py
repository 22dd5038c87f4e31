"""The first schema.

Revision ID: 0001
Revises:
"""

from alembic import op

from kiosk.store.tables import METADATA

revision = "0001"
down_revision = None


def upgrade() -> None:
    METADATA.create_all(op.get_bind())


def downgrade() -> None:
    METADATA.drop_all(op.get_bind())
