"""Which environment the database belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "owner",
        sa.Column("environment", sa.Text(), primary_key=True),
    )


def downgrade() -> None:
    op.drop_table("owner")
