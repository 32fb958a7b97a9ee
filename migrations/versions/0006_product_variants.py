"""Products that are no merchandise, variants of one parent, and successors."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = "product_id, name, line, category, family, tier, price_minor, currency, margin_minor, is_active, attributes"
NEW = ("is_merchandise", "parent_product_id", "replaces")


def upgrade() -> None:
    op.add_column("products", sa.Column("is_merchandise", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("products", sa.Column("parent_product_id", sa.Text))
    op.add_column("products", sa.Column("replaces", sa.Text))
    _replace_view(", ".join((COLUMNS, *NEW)))


def downgrade() -> None:
    _replace_view(COLUMNS)
    for column in NEW:
        op.drop_column("products", column)


def _replace_view(columns: str) -> None:
    op.execute("DROP VIEW training_products")
    op.execute(f"CREATE VIEW training_products AS SELECT {columns} FROM products")  # noqa: S608
