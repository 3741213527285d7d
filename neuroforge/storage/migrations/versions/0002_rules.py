"""Routing rules: every proposal with what became of it, and which version is in force."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the two tables and the head's only row."""
    op.create_table(
        "nf_rules",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("proposal_id", sa.Text, nullable=False, unique=True),
        sa.Column("version", sa.Integer, unique=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
    )
    op.create_table(
        "nf_rules_head",
        sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1", name="nf_rules_head_one_row"), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
    )
    head = sa.table("nf_rules_head", sa.column("id"), sa.column("version"))
    op.execute(head.insert().values(id=1, version=0))
