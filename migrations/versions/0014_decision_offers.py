"""The offers of decisions in columns, and where each decision was meant for."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("decisions", sa.Column("channel", sa.Text))
    op.add_column("decisions", sa.Column("placement", sa.Text))
    op.create_table(
        "decision_offers",
        sa.Column("decision_id", sa.Text, primary_key=True),
        sa.Column("rank", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("product_id", sa.Text, nullable=False),
        sa.Column("line", sa.Text),
        sa.Column("category", sa.Text),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("propensity", sa.Float),
        sa.Column("value_minor", sa.BigInteger),
        sa.Column("context", sa.Float),
        sa.Column("lever", sa.Float),
        sa.Column("priority", sa.Float),
        sa.Column("selection_probability", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("decision_offers")
    op.drop_column("decisions", "placement")
    op.drop_column("decisions", "channel")
