"""Desired models, kept across restarts."""

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from neuroforge.contracts.models import ModelSpec
from neuroforge.errors import ModelNotFound, StorageError
from neuroforge.storage.engine import Database
from neuroforge.storage.schema import model_specs


class SqlModelRegistry:
    """`ModelRegistry` on SQL: one row a model, its spec as JSON."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def list_specs(self) -> tuple[ModelSpec, ...]:
        """In order of id.

        Raises:
            StorageError: A row is not a ModelSpec of this version.
        """
        with self.database.read() as connection:
            rows = connection.execute(select(model_specs.c.id, model_specs.c.spec)).all()
        # Sorted here: PostgreSQL's order of text depends on its locale.
        return tuple(self._spec(model_id, text) for model_id, text in sorted((row.id, row.spec) for row in rows))

    def put_spec(self, spec: ModelSpec) -> None:
        """Insert or replace."""
        insert = postgresql.insert if self.database.is_postgresql else sqlite.insert
        text = spec.model_dump_json()
        statement = insert(model_specs).values(id=spec.id, spec=text)
        with self.database.write() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_={"spec": text}))

    def remove_spec(self, model_id: str) -> None:
        """Forget a model.

        Raises:
            ModelNotFound: None has this id; carries those that exist.
        """
        with self.database.write() as connection:
            n_removed = connection.execute(model_specs.delete().where(model_specs.c.id == model_id)).rowcount
            known = sorted(connection.scalars(select(model_specs.c.id)))
        if n_removed == 0:
            raise ModelNotFound(
                f"no model {model_id!r}; known: {', '.join(known) or 'none'}", model_id=model_id, known=known
            )

    def _spec(self, model_id: str, text: str) -> ModelSpec:
        try:
            return ModelSpec.model_validate_json(text)
        except ValidationError as error:
            raise StorageError(
                f"{self.database.label}: stored model {model_id!r} cannot be read: {error.errors()[0]['msg']}; "
                f"remove it from nf_model_specs and apply the configuration again",
                database=self.database.label,
            ) from error
