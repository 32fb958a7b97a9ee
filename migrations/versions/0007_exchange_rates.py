"""Exchange rates, and the currency of order lines for training."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

LINES = (
    "SELECT o.account_id, l.order_id, l.product_id, CAST({epoch} AS BIGINT) AS ordered_at, "
    "l.quantity, l.amount_minor{more} "
    "FROM order_lines l JOIN orders o ON o.order_id = l.order_id WHERE NOT o.is_cancelled"
)


def upgrade() -> None:
    op.create_table(
        "exchange_rates",
        sa.Column("base_currency", sa.Text, primary_key=True),
        sa.Column("quote_currency", sa.Text, primary_key=True),
        sa.Column("valid_from", sa.Date, primary_key=True),
        sa.Column("rate", sa.Float, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sqlite_with_rowid=False,
    )
    # Days since 1970, so that the column has one meaning on both databases.
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    day = "CAST(julianday(valid_from) - 2440587.5 AS BIGINT)" if is_sqlite else "valid_from - DATE '1970-01-01'"
    op.execute(
        "CREATE VIEW training_exchange_rates AS "  # noqa: S608
        f"SELECT base_currency, quote_currency, CAST({day} AS BIGINT) AS valid_from_day, rate FROM exchange_rates"
    )
    _replace_lines(", o.currency")


def downgrade() -> None:
    _replace_lines("")
    op.execute("DROP VIEW training_exchange_rates")
    op.drop_table("exchange_rates")


def _replace_lines(more: str) -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    epoch = "strftime('%s', o.ordered_at)" if is_sqlite else "EXTRACT(EPOCH FROM o.ordered_at)"
    op.execute("DROP VIEW training_order_lines")
    op.execute(f"CREATE VIEW training_order_lines AS {LINES.format(epoch=epoch, more=more)}")
