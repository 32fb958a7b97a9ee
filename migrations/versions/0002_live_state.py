"""Changes that workers tail, consent, the ledger of decisions, answers to idempotent writes, rate limits of keys."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "changes",
        # SQLite would else give a deleted row's number to the next one, and a tail would miss it.
        sa.Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("ids", sa.JSON, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "consents",
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.account_id"), primary_key=True),
        sa.Column("is_objecting", sa.Boolean, nullable=False),
        sa.Column("origin", sa.Text),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.Text, primary_key=True),
        sa.Column("account_id", sa.Text),
        sa.Column("decided_at", TIME, nullable=False),
        sa.Column("key_id", sa.Text),
        sa.Column("block_id", sa.Text, nullable=False),
        sa.Column("start", sa.Integer, nullable=False),
        sa.Column("middle", sa.Integer, nullable=False),
        sa.Column("stop", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "decision_blocks",
        sa.Column("block_id", sa.Text, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_decisions_account_id_decision_id", "decisions", ["account_id", "decision_id"])
    op.create_table(
        "idempotent_answers",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("idempotency_key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("headers", sa.JSON),
        sa.Column("body", sa.LargeBinary),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_index("ix_idempotent_answers_created_at", "idempotent_answers", ["created_at"])
    op.add_column("api_keys", sa.Column("rate_limit", sa.Text))
    # Read in the same snapshot as the other views: what a training has learned from, a service need not look at.
    op.execute("CREATE VIEW training_sequence AS SELECT COALESCE(MAX(sequence), 0) AS sequence FROM changes")


def downgrade() -> None:
    op.execute("DROP VIEW training_sequence")
    with op.batch_alter_table("api_keys") as api_keys:
        api_keys.drop_column("rate_limit")
    for table in ("idempotent_answers", "decision_blocks", "decisions", "consents", "changes"):
        op.drop_table(table)
