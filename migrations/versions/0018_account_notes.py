"""Goals and pain points of accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "account_notes",
        sa.Column("note_id", sa.Text, primary_key=True),
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.account_id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("source", sa.Text),
        sa.Column("noted_at", TIME, nullable=False),
        sa.Column("noted_by", sa.Text),
        sa.Column("valid_until", sa.Date),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
    )
    op.create_index("ix_account_notes_account_id", "account_notes", ["account_id"])


def downgrade() -> None:
    op.drop_table("account_notes")
