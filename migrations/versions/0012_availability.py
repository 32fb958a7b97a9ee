"""When products can be had, and how many are in stock."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TIMES = ("available_from", "available_until")


def upgrade() -> None:
    for name in TIMES:
        op.add_column("products", sa.Column(name, sa.DateTime(timezone=True)))
    op.add_column("products", sa.Column("stock", sa.Double))


def downgrade() -> None:
    for name in (*TIMES, "stock"):
        op.drop_column("products", name)
