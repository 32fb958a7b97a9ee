"""What people say of the relationships between products."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "relationships",
        sa.Column("source_product_id", sa.Text, sa.ForeignKey("products.product_id"), primary_key=True),
        sa.Column("target_product_id", sa.Text, sa.ForeignKey("products.product_id"), primary_key=True),
        sa.Column("relation", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("updated_by", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("relationships")
