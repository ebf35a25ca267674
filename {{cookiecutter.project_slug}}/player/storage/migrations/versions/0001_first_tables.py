"""The first tables: predictions, labels, models."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "predictions",
        sa.Column("request_id", sa.Text(), primary_key=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("pred", sa.Text(), nullable=False),
        sa.Column("proba", sa.Double()),
        sa.Column("degraded", sa.Boolean(), nullable=False),
        sa.Column("features", sa.Text(), nullable=False),
        sa.Column("warnings", sa.Text(), nullable=False),
        sa.Column("latency_ms", sa.Double()),
        sa.Column("client", sa.Text(), nullable=False),
    )
    op.create_index("ix_predictions_received_at", "predictions", ["received_at"])
    op.create_table(
        "labels",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
    )
    op.create_index("ix_labels_request_id", "labels", ["request_id"])
    op.create_index("ix_labels_received_at", "labels", ["received_at"])
    op.create_table(
        "models",
        sa.Column("version", sa.Text(), primary_key=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("metrics", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
    )


def downgrade() -> None:
    for table in ("models", "labels", "predictions"):
        op.drop_table(table)
