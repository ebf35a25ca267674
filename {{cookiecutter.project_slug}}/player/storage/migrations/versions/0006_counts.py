"""The counts of all chapters, read without what is long of them."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_chapters_counts", "chapters", ["rows", "labelled", "correct"])


def downgrade() -> None:
    op.drop_index("ix_chapters_counts", "chapters")
