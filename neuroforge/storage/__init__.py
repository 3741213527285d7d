"""database URL -> engine (opened, checked) -> migrate (schema made current) -> store: keys, audit log, desired models.

`SqlStore` is the `KeyStore`, `AuditLog` and `ModelRegistry` of `neuroforge.contracts.ports`, on SQLite (embedded) or
PostgreSQL (by URL). `StateExchange` is what gateway replicas talk to, over one writer.
"""
