"""Prompt releases, the aliases that name them, what their requests came to, and the revision of it all."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the four tables and the head's only row."""
    op.create_table(
        "nf_prompts",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("applied_at_s", sa.Double),
        sa.Column("note", sa.Text),
        sa.Column("release", sa.Text, nullable=False),
        sa.UniqueConstraint("name", "version", name="nf_prompts_name_version"),
    )
    op.create_table(
        "nf_prompt_aliases",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("alias", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("trail", sa.Text, nullable=False),
        sa.Column("shadow_version", sa.Integer),
        sa.Column("shadow_share", sa.Double, nullable=False),
    )
    op.create_table(
        "nf_prompt_uses",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("is_shadow", sa.Integer, primary_key=True),
        sa.Column("n_requests", sa.BigInteger, nullable=False),
        sa.Column("n_failures", sa.BigInteger, nullable=False),
        sa.Column("latency_s", sa.Double, nullable=False),
        sa.Column("n_prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("n_completion_tokens", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "nf_prompts_head",
        sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1", name="nf_prompts_head_one_row"), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    head = sa.table("nf_prompts_head", sa.column("id"), sa.column("revision"))
    op.execute(head.insert().values(id=1, revision=0))
