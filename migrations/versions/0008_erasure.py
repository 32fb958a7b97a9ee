"""Origins of API keys, and the traces of erased accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("origins", sa.Text))
    op.create_table(
        "erasures",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("erased_at", TIME, nullable=False),
        sa.Column("is_objecting", sa.Boolean, nullable=False),
        sa.Column("is_swept", sa.Boolean, nullable=False),
    )
    op.create_table("erasure_keys", sa.Column("secret", sa.Text, primary_key=True))


def downgrade() -> None:
    op.drop_table("erasure_keys")
    op.drop_table("erasures")
    with op.batch_alter_table("api_keys") as api_keys:
        api_keys.drop_column("origins")
