"""The tables as this version knows them; `migrations/` makes a database look like this (tested).

Names carry a prefix because a team's PostgreSQL database may hold other applications' tables.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

VERSION_TABLE = "alembic_version_neuroforge"
"""Not Alembic's default name: MLflow and Optuna use that one."""

metadata = MetaData()
_BIG = BigInteger().with_variant(Integer, "sqlite")

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

outcomes = Table(
    "nf_outcomes",
    metadata,
    Column("seq", _BIG, primary_key=True),
    Column("decision_id", Text, nullable=False, unique=True),
    Column("at_s", Double, nullable=False, index=True),
    Column("actor", Text, nullable=False),
    Column("model_id", Text, nullable=False),
    Column("score", Double),
    Column("score_source", Text),
    Column("learned_weight", Double),
    Column("fit_id", Text, nullable=False),
    Column("base_quality", Double),
    Column("basis", LargeBinary),
    Column("decision", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("embedding", LargeBinary),
    Column("prompt", Text),
    Column("answer", Text),
    sqlite_autoincrement=True,
)
"""An OutcomeRecord a row: `decision` and `outcome` as JSON without their defaults, `basis` as float32.

`learned_weight` is the weight with which the score stands in the online posterior, null = it does not; `fit_id` is the
fitted router that the basis came from. `seq` is never given twice, so that "after this number" keeps its meaning.
"""

Index(
    "nf_outcomes_scored",
    outcomes.c.seq,
    sqlite_where=outcomes.c.score.is_not(None),
    postgresql_where=outcomes.c.score.is_not(None),
)

feedback = Table(
    "nf_feedback",
    metadata,
    Column("seq", _BIG, primary_key=True),
    Column("decision_id", Text, nullable=False, index=True),
    Column("at_s", Double, nullable=False),
    Column("score", Double, nullable=False),
    Column("status", Text, nullable=False),
    Column("preferred_answer", Text),
    Column("comment", Text),
    sqlite_autoincrement=True,
)
"""Each statement that was not a duplicate, the newest of a decision counts; texts at level `text` only."""

redo = Table(
    "nf_redo",
    metadata,
    Column("seq", _BIG, primary_key=True),
    Column("decision_id", Text, nullable=False),
    Column("score", Double, nullable=False),
    Column("weight", Double, nullable=False),
    Column("at_s", Double, nullable=False),
    sqlite_autoincrement=True,
)
"""What the online posterior took in since it was last saved; a negative weight takes something back."""

learner = Table(
    "nf_learner",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="nf_learner_one_row"), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("online", LargeBinary, nullable=False),
    Column("redo_seq", BigInteger, nullable=False),
    Column("n_dropped", BigInteger, nullable=False),
    Column("saved_at_s", Double, nullable=False),
)
"""One row: the online posterior as of `redo_seq`."""

fits = Table(
    "nf_fits",
    metadata,
    Column("seq", _BIG, primary_key=True),
    Column("fit_id", Text, nullable=False),
    Column("first_version", BigInteger, nullable=False),
    Column("applied_at_s", Double, nullable=False),
    Column("content", LargeBinary),
    sqlite_autoincrement=True,
)
"""Fitted routers in the order in which they were applied; only the newest keeps its content."""

exports = Table(
    "nf_exports",
    metadata,
    Column("path", Text, primary_key=True),
    Column("at_s", Double, nullable=False),
    Column("n_rows", BigInteger, nullable=False),
)
"""Parquet files that were written, for a purge must reach them too."""

live_tests = Table(
    "nf_live_tests",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("entry", Text, nullable=False),
)
"""`seq` gives the order of creation; `entry` is a LiveTestEntry (neuroforge.router.live_tests) as JSON."""

live_test_units = Table(
    "nf_live_test_units",
    metadata,
    Column("test", Text, primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("at_s", Double, nullable=False, index=True),
)
"""Hashes of sessions, users or requests that were observed: of each the first observation counts."""

prompts = Table(
    "nf_prompts",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("applied_at_s", Double),
    Column("note", Text),
    Column("release", Text, nullable=False),
    UniqueConstraint("name", "version", name="nf_prompts_name_version"),
)
"""Rows are never deleted, so a name's version is given once; `release` is a PromptRelease as JSON and never changes."""

prompt_aliases = Table(
    "nf_prompt_aliases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("alias", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("trail", Text, nullable=False),
    Column("shadow_version", Integer),
    Column("shadow_share", Double, nullable=False),
)
"""`trail`: the versions that it named before, oldest first, as a JSON list; a rollback takes from its end."""

prompt_uses = Table(
    "nf_prompt_uses",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("is_shadow", Integer, primary_key=True),
    Column("n_requests", BigInteger, nullable=False),
    Column("n_failures", BigInteger, nullable=False),
    Column("latency_s", Double, nullable=False),
    Column("n_prompt_tokens", BigInteger, nullable=False),
    Column("n_completion_tokens", BigInteger, nullable=False),
)
"""The sums of a PromptCounts, of requests that the version answered (0) or was asked beside (1)."""

prompts_head = Table(
    "nf_prompts_head",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="nf_prompts_head_one_row"), primary_key=True),
    Column("revision", BigInteger, nullable=False),
)
"""One row: grows with every change. Whoever changes a prompt or an alias locks it first."""
