"""Indexes for lists: orders by time, and the accounts of a parent."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_orders_ordered_at", "orders", ["ordered_at", "order_id"])
    op.create_index("ix_accounts_parent_account_id", "accounts", ["parent_account_id"])


def downgrade() -> None:
    op.drop_index("ix_accounts_parent_account_id", "accounts")
    op.drop_index("ix_orders_ordered_at", "orders")
