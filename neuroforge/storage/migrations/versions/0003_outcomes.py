"""Outcomes, feedback, the learner's state."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the six tables and their indices."""
    _create_records()
    _create_state()


def _create_records() -> None:
    op.create_table(
        "nf_outcomes",
        sa.Column("seq", BIG, primary_key=True),
        sa.Column("decision_id", sa.Text, nullable=False, unique=True),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("model_id", sa.Text, nullable=False),
        sa.Column("score", sa.Double),
        sa.Column("score_source", sa.Text),
        sa.Column("learned_weight", sa.Double),
        sa.Column("fit_id", sa.Text, nullable=False),
        sa.Column("base_quality", sa.Double),
        sa.Column("basis", sa.LargeBinary),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("embedding", sa.LargeBinary),
        sa.Column("prompt", sa.Text),
        sa.Column("answer", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_nf_outcomes_at_s", "nf_outcomes", ["at_s"])
    is_scored = sa.text("score IS NOT NULL")
    op.create_index("nf_outcomes_scored", "nf_outcomes", ["seq"], sqlite_where=is_scored, postgresql_where=is_scored)
    op.create_table(
        "nf_feedback",
        sa.Column("seq", BIG, primary_key=True),
        sa.Column("decision_id", sa.Text, nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("preferred_answer", sa.Text),
        sa.Column("comment", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_nf_feedback_decision_id", "nf_feedback", ["decision_id"])


def _create_state() -> None:
    op.create_table(
        "nf_redo",
        sa.Column("seq", BIG, primary_key=True),
        sa.Column("decision_id", sa.Text, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "nf_learner",
        sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1", name="nf_learner_one_row"), primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("online", sa.LargeBinary, nullable=False),
        sa.Column("redo_seq", sa.BigInteger, nullable=False),
        sa.Column("n_dropped", sa.BigInteger, nullable=False),
        sa.Column("saved_at_s", sa.Double, nullable=False),
    )
    op.create_table(
        "nf_fits",
        sa.Column("seq", BIG, primary_key=True),
        sa.Column("fit_id", sa.Text, nullable=False),
        sa.Column("first_version", sa.BigInteger, nullable=False),
        sa.Column("applied_at_s", sa.Double, nullable=False),
        sa.Column("content", sa.LargeBinary),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "nf_exports",
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("n_rows", sa.BigInteger, nullable=False),
    )
