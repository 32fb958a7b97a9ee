"""Accounts, products, orders, keys, and the views that training reads."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)

VIEWS = {
    # Stubs are included: an account or a product that only orders have named is still learned from.
    "training_accounts": "SELECT account_id, name, parent_account_id, attributes FROM accounts",
    "training_products": (
        "SELECT product_id, name, line, category, family, tier, price_minor, currency, margin_minor, is_active, "
        "attributes FROM products"
    ),
    # Cancelled orders are not history; returns are, as negative quantities. ordered_at is UTC epoch seconds,
    # so that the column has one meaning on both databases.
    "training_order_lines": (
        "SELECT o.account_id, l.order_id, l.product_id, CAST({epoch} AS BIGINT) AS ordered_at, "
        "l.quantity, l.amount_minor "
        "FROM order_lines l JOIN orders o ON o.order_id = l.order_id WHERE NOT o.is_cancelled"
    ),
}


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text),
        sa.Column("parent_account_id", sa.Text),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.Column("is_stub", sa.Boolean, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_table(
        "products",
        sa.Column("product_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("line", sa.Text),
        sa.Column("category", sa.Text),
        sa.Column("family", sa.Text),
        sa.Column("tier", sa.Integer),
        sa.Column("price_minor", sa.BigInteger),
        sa.Column("currency", sa.Text),
        sa.Column("margin_minor", sa.BigInteger),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.Column("is_stub", sa.Boolean, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_table(
        "orders",
        sa.Column("order_id", sa.Text, primary_key=True),
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.account_id")),
        sa.Column("ordered_at", TIME, nullable=False),
        sa.Column("currency", sa.Text),
        sa.Column("is_cancelled", sa.Boolean, nullable=False),
    )
    op.create_index("ix_orders_account_id", "orders", ["account_id"])
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.Text, sa.ForeignKey("orders.order_id"), primary_key=True),
        sa.Column("product_id", sa.Text, sa.ForeignKey("products.product_id"), primary_key=True),
        sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("quantity", sa.Float, nullable=False),
        sa.Column("amount_minor", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("secret_sha256", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("revoked_at", TIME),
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    epoch = "strftime('%s', o.ordered_at)" if is_sqlite else "EXTRACT(EPOCH FROM o.ordered_at)"
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query.format(epoch=epoch)}")


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
    for table in ("api_keys", "order_lines", "orders", "products", "accounts"):
        op.drop_table(table)
