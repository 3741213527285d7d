"""The tables as this version knows them; `migrations/` makes a database look like this (tested).

Names carry a prefix because a team's PostgreSQL database may hold other applications' tables.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Double, Integer, MetaData, Table, Text

VERSION_TABLE = "alembic_version_neuroforge"
"""Not Alembic's default name: MLflow and Optuna use that one."""

metadata = MetaData()

api_keys = Table(
    "nf_api_keys",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("spec", Text, nullable=False),
    Column("secret_sha256", Text, nullable=False, unique=True),
    Column("created_at_s", Double, nullable=False),
    Column("revoked_at_s", Double),
)
"""`seq` gives the order of creation; `spec` is a KeySpec as JSON."""

audit = Table(
    "nf_audit",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("event", Text, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
)
"""`event` is the canonical JSON that was hashed, as text: a JSON type would re-order and re-format it."""

audit_head = Table(
    "nf_audit_head",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="nf_audit_head_one_row"), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)
"""One row: how long the log is and its last hash, so that records cut off the end are missed."""

model_specs = Table(
    "nf_model_specs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("spec", Text, nullable=False),
)
"""`spec` is a ModelSpec as JSON."""

rules = Table(
    "nf_rules",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("proposal_id", Text, nullable=False, unique=True),
    Column("version", Integer, unique=True),
    Column("state", Text, nullable=False),
    Column("entry", Text, nullable=False),
)
"""`seq` gives the order of proposals; `version` is there once they were in force; `entry` is a RulesEntry as JSON."""

rules_head = Table(
    "nf_rules_head",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="nf_rules_head_one_row"), primary_key=True),
    Column("version", Integer, nullable=False),
)
"""One row: the version in force, 0 = none was ever applied. Whoever changes what is in force locks it first."""
