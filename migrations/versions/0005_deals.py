"""The deals of a CRM: open ones are the pipeline, won ones feed the orders."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "deals",
        sa.Column("deal_id", sa.Text, primary_key=True),
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.account_id")),
        sa.Column("product_id", sa.Text, sa.ForeignKey("products.product_id"), nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("value_minor", sa.BigInteger),
        sa.Column("currency", sa.Text),
        sa.Column("opened_at", TIME),
        sa.Column("closed_at", TIME),
        sa.Column("expected_close", sa.Date),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_index("ix_deals_account_id", "deals", ["account_id"])


def downgrade() -> None:
    op.drop_table("deals")
