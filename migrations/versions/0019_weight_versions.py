"""The history of the operator's weights."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What is stored already is at its first version; its history begins with its next change.
    op.add_column("lever_weights", sa.Column("version", sa.Integer, nullable=False, server_default="1"))
    op.create_table(
        "lever_weight_versions",
        sa.Column("weight", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("before", sa.JSON),
        sa.Column("after", sa.JSON),
    )


def downgrade() -> None:
    op.drop_table("lever_weight_versions")
    op.drop_column("lever_weights", "version")
