"""Deals of several products: each has lines, and the product of a deal so far becomes its one line."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Kept aside while deals is recreated: on SQLite that deletes its rows, and with them the lines that refer to them.
    op.execute("CREATE TABLE deal_products AS SELECT deal_id, product_id, value_minor FROM deals")
    with op.batch_alter_table("deals") as deals:
        deals.drop_column("product_id")
    _create_lines()
    op.execute(
        "INSERT INTO deal_lines (deal_id, product_id, ordinal, quantity, value_minor) "
        "SELECT deal_id, product_id, 0, 1.0, value_minor FROM deal_products"
    )
    op.execute("UPDATE deals SET value_minor = NULL")
    op.drop_table("deal_products")


def _create_lines() -> None:
    op.create_table(
        "deal_lines",
        sa.Column("deal_id", sa.Text, sa.ForeignKey("deals.deal_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("product_id", sa.Text, sa.ForeignKey("products.product_id"), primary_key=True),
        sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("quantity", sa.Float, nullable=False),
        sa.Column("value_minor", sa.BigInteger),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Keep one product of each deal, with the value of them all. A deal without any product is deleted."""
    op.execute(
        "CREATE TABLE deal_products AS SELECT deal_id, MIN(product_id) AS product_id, SUM(value_minor) AS value_minor "
        "FROM deal_lines GROUP BY deal_id"
    )
    op.drop_table("deal_lines")
    op.execute("DELETE FROM deals WHERE deal_id NOT IN (SELECT deal_id FROM deal_products)")
    op.add_column("deals", sa.Column("product_id", sa.Text))
    kept = "(SELECT {} FROM deal_products WHERE deal_products.deal_id = deals.deal_id)"
    op.execute(f"UPDATE deals SET product_id = {kept.format('deal_products.product_id')}")  # noqa: S608
    op.execute(f"UPDATE deals SET value_minor = COALESCE({kept.format('deal_products.value_minor')}, value_minor)")  # noqa: S608
    with op.batch_alter_table("deals") as deals:
        deals.alter_column("product_id", existing_type=sa.Text, nullable=False)
        deals.create_foreign_key("deals_product_id_fkey", "products", ["product_id"], ["product_id"])
    op.drop_table("deal_products")
