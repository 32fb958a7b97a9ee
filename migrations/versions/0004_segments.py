"""Strategic accounts, and the segments that people define."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
COLUMNS = "account_id, name, parent_account_id, attributes"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("is_strategic", sa.Boolean, nullable=False, server_default=sa.false()))
    _replace_view(f"{COLUMNS}, is_strategic")
    op.create_table(
        "segments",
        sa.Column("segment_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("rule", sa.JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("updated_by", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("segments")
    _replace_view(COLUMNS)
    op.drop_column("accounts", "is_strategic")


def _replace_view(columns: str) -> None:
    op.execute("DROP VIEW training_accounts")
    op.execute(f"CREATE VIEW training_accounts AS SELECT {columns} FROM accounts")  # noqa: S608
