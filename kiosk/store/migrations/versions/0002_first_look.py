"""What a medium was at first look.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

from kiosk.store.tables import first_look

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    first_look.create(op.get_bind(), checkfirst=True)  # 0001 makes a new database whole


def downgrade() -> None:
    first_look.drop(op.get_bind(), checkfirst=True)
