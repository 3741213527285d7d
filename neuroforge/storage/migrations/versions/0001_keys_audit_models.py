"""API keys, the audit log with its triggers, desired models."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None

GENESIS_HASH = "0" * 64

SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER nf_audit_no_update BEFORE UPDATE ON nf_audit
    BEGIN SELECT RAISE(ABORT, 'nf_audit is append-only: UPDATE refused'); END
    """,
    """
    CREATE TRIGGER nf_audit_no_delete BEFORE DELETE ON nf_audit
    BEGIN SELECT RAISE(ABORT, 'nf_audit is append-only: DELETE refused'); END
    """,
    # INSERT OR REPLACE deletes the old row without any DELETE trigger, so order is checked on the way in.
    """
    CREATE TRIGGER nf_audit_in_order BEFORE INSERT ON nf_audit
    WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM nf_audit)
    BEGIN SELECT RAISE(ABORT, 'nf_audit is append-only: INSERT out of order refused'); END
    """,
    """
    CREATE TRIGGER nf_audit_head_no_insert BEFORE INSERT ON nf_audit_head
    BEGIN SELECT RAISE(ABORT, 'nf_audit_head has one row: INSERT refused'); END
    """,
    """
    CREATE TRIGGER nf_audit_head_no_delete BEFORE DELETE ON nf_audit_head
    BEGIN SELECT RAISE(ABORT, 'nf_audit_head has one row: DELETE refused'); END
    """,
    """
    CREATE TRIGGER nf_audit_head_forward BEFORE UPDATE ON nf_audit_head
    WHEN NEW.seq <= OLD.seq
      OR NEW.seq IS NOT (SELECT max(seq) FROM nf_audit)
      OR NEW.hash IS NOT (SELECT hash FROM nf_audit WHERE seq = NEW.seq)
    BEGIN SELECT RAISE(ABORT, 'nf_audit_head names the last record: UPDATE refused'); END
    """,
)

# ENABLE ALWAYS: also where session_replication_role would switch triggers off.
POSTGRESQL_TRIGGERS = (
    """
    CREATE FUNCTION nf_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP; END $$
    """,
    """
    CREATE FUNCTION nf_audit_in_order() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
      IF NEW.seq IS DISTINCT FROM (SELECT coalesce(max(seq), 0) + 1 FROM nf_audit) THEN
        RAISE EXCEPTION 'nf_audit is append-only: INSERT out of order refused';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE FUNCTION nf_audit_head_forward() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
      IF NEW.seq <= OLD.seq
        OR NEW.seq IS DISTINCT FROM (SELECT max(seq) FROM nf_audit)
        OR NEW.hash IS DISTINCT FROM (SELECT hash FROM nf_audit WHERE seq = NEW.seq)
      THEN RAISE EXCEPTION 'nf_audit_head names the last record: UPDATE refused';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER nf_audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON nf_audit
    FOR EACH STATEMENT EXECUTE FUNCTION nf_audit_refuse()
    """,
    """
    CREATE TRIGGER nf_audit_in_order BEFORE INSERT ON nf_audit
    FOR EACH ROW EXECUTE FUNCTION nf_audit_in_order()
    """,
    """
    CREATE TRIGGER nf_audit_head_one_row BEFORE INSERT OR DELETE OR TRUNCATE ON nf_audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION nf_audit_refuse()
    """,
    """
    CREATE TRIGGER nf_audit_head_forward BEFORE UPDATE ON nf_audit_head
    FOR EACH ROW EXECUTE FUNCTION nf_audit_head_forward()
    """,
    "ALTER TABLE nf_audit ENABLE ALWAYS TRIGGER nf_audit_append_only",
    "ALTER TABLE nf_audit ENABLE ALWAYS TRIGGER nf_audit_in_order",
    "ALTER TABLE nf_audit_head ENABLE ALWAYS TRIGGER nf_audit_head_one_row",
    "ALTER TABLE nf_audit_head ENABLE ALWAYS TRIGGER nf_audit_head_forward",
)


def upgrade() -> None:
    """Create the four tables, the head's only row, and the triggers."""
    _create_tables()
    head = sa.table("nf_audit_head", sa.column("id"), sa.column("seq"), sa.column("hash"))
    op.execute(head.insert().values(id=1, seq=0, hash=GENESIS_HASH))
    triggers = POSTGRESQL_TRIGGERS if op.get_context().dialect.name == "postgresql" else SQLITE_TRIGGERS
    for statement in triggers:
        op.execute(statement)


def _create_tables() -> None:
    op.create_table(
        "nf_api_keys",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("secret_sha256", sa.Text, nullable=False, unique=True),
        sa.Column("created_at_s", sa.Double, nullable=False),
        sa.Column("revoked_at_s", sa.Double),
    )
    op.create_table(
        "nf_audit",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_table(
        "nf_audit_head",
        sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1", name="nf_audit_head_one_row"), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_table(
        "nf_model_specs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("spec", sa.Text, nullable=False),
    )
