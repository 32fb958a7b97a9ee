"""What is reserved for accounts, and accepted."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "reservations",
        sa.Column("reservation_id", sa.Text, primary_key=True),
        sa.Column("decision_id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text),
        sa.Column("product_id", sa.Text, nullable=False),
        sa.Column("line", sa.Text),
        sa.Column("category", sa.Text),
        sa.Column("reserved_at", TIME, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("accepted_at", TIME),
    )
    op.create_index("ix_reservations_decision_id", "reservations", ["decision_id"])
    op.create_index("ix_reservations_product_id", "reservations", ["product_id"])
    op.create_index("ix_reservations_account_id_product_id", "reservations", ["account_id", "product_id"])


def downgrade() -> None:
    op.drop_table("reservations")
