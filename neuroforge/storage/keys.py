"""API keys at rest: the secret's hash only. Rows are never deleted, so an id in the audit log stays explicable."""

import hashlib
import secrets
import string
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Row, func, select

from neuroforge.contracts.keys import ApiKey, CreatedKey, KeySpec
from neuroforge.contracts.ports import Clock
from neuroforge.errors import NotFound, StorageError
from neuroforge.storage.engine import Database
from neuroforge.storage.schema import api_keys

_ID_ALPHABET = string.ascii_lowercase + string.digits
_ID_LENGTH = 10
_SECRET_BYTES = 32

KeyRevision = tuple[int, int, int]
"""Grows with every creation and every revocation, by whichever process; equal revisions mean equal keys."""


def hash_secret(secret: str) -> str:
    """SHA-256 of the whole secret, prefix included, as hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


class SqlKeyStore:
    """`KeyStore` on SQL."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self._clock = clock
        """Unix time."""

    def create_key(self, spec: KeySpec) -> CreatedKey:
        """Make `nf-<id>-<43 characters>` with 256 random bits; the secret is in this answer and nowhere else."""
        key_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))
        secret = f"nf-{key_id}-{secrets.token_urlsafe(_SECRET_BYTES)}"
        key = ApiKey(id=key_id, spec=spec, secret_sha256=hash_secret(secret), created_at_s=self._clock())
        row = {
            "id": key.id,
            "spec": spec.model_dump_json(),
            "secret_sha256": key.secret_sha256,
            "created_at_s": key.created_at_s,
        }
        with self.database.write() as connection:
            connection.execute(api_keys.insert().values(row))
        return CreatedKey(key=key, secret=secret)

    def list_keys(self) -> tuple[ApiKey, ...]:
        """All, revoked ones too, oldest first.

        Raises:
            StorageError: A row is not a key of this version.
        """
        with self.database.read() as connection:
            rows = connection.execute(select(api_keys).order_by(api_keys.c.seq)).all()
        return tuple(self._key(row) for row in rows)

    def revoke_key(self, key_id: str) -> ApiKey:
        """Mark as revoked now; a second time changes nothing.

        Raises:
            NotFound: No key has this id.
        """
        with self.database.write() as connection:
            connection.execute(
                api_keys.update()
                .where(api_keys.c.id == key_id, api_keys.c.revoked_at_s.is_(None))
                .values(revoked_at_s=self._clock())
            )
            row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).one_or_none()
        if row is None:
            raise NotFound(f"no API key has the id {key_id!r}; `neuroforge keys list` shows those that exist")
        return self._key(row)

    def key_revision(self) -> KeyRevision:
        """Cheap answer to "did any key change?"."""
        numbers = select(
            func.coalesce(func.max(api_keys.c.seq), 0), func.count(), func.count(api_keys.c.revoked_at_s)
        ).select_from(api_keys)
        with self.database.read() as connection:
            last, total, revoked = connection.execute(numbers).one()
        return last, total, revoked

    def _key(self, row: Row[Any]) -> ApiKey:
        try:
            return ApiKey(
                id=row.id,
                spec=KeySpec.model_validate_json(row.spec),
                secret_sha256=row.secret_sha256,
                created_at_s=row.created_at_s,
                revoked_at_s=row.revoked_at_s,
            )
        except ValidationError as error:
            raise StorageError(
                f"{self.database.label}: stored API key {row.id!r} cannot be read: {error.errors()[0]['msg']}",
                database=self.database.label,
            ) from error
