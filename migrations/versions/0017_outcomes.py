"""What was reported of offers."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "outcomes",
        sa.Column("outcome_id", sa.Text, primary_key=True),
        sa.Column("decision_id", sa.Text),
        sa.Column("account_id", sa.Text),
        sa.Column("product_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("line", sa.Text),
        sa.Column("category", sa.Text),
        sa.Column("channel", sa.Text),
        sa.Column("placement", sa.Text),
        sa.Column("position", sa.Integer),
        sa.Column("reason", sa.Text),
        sa.Column("note", sa.Text),
        sa.Column("value_minor", sa.BigInteger),
        sa.Column("currency", sa.Text),
        sa.Column("is_automated", sa.Boolean, nullable=False),
        sa.Column("is_placed", sa.Boolean, nullable=False),
        sa.Column("occurred_at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("received_by", sa.Text, nullable=False),
        sa.Column("retracted_at", TIME),
    )
    op.create_index(
        "ix_outcomes_account_id_product_id_kind_occurred_at",
        "outcomes",
        ["account_id", "product_id", "kind", "occurred_at"],
        unique=True,
    )
    op.create_index("ix_outcomes_occurred_at", "outcomes", ["occurred_at"])


def downgrade() -> None:
    op.drop_table("outcomes")
