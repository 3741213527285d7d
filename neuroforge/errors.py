"""Every error that NeuroForge raises on purpose.

NeuroForgeError
├── ConfigError               settings that cannot be used: names the key and the nearest valid one
├── DataError                 input rows or arrays that cannot be used
├── RequestError        400   a request that the caller must change
│   ├── UnsupportedParameter  400   a field whose value the model cannot honour
│   ├── ContextLengthExceeded 400   prompt longer than the model's context; carries both numbers
│   ├── AuthenticationError   401   no key, or none that is known
│   ├── PermissionDenied      403   a known key that may not do this
│   ├── ModelNotFound         404   carries the ids that exist
│   ├── NotFound              404   any other thing that does not exist
│   ├── ConflictError         409   the thing is in a state that forbids this
│   ├── RequestTooLarge       413   body over the limit
│   └── RateLimited           429   the key's own limit; carries retry_after_s
├── EngineError         502   a model's server failed
│   ├── EngineOverloaded      429   no slot and a full queue; carries retry_after_s
│   ├── EngineUnavailable     503   nothing answers there, or it is still loading
│   ├── EngineTimeout         504   the deadline passed; the slot was freed
│   └── StreamInterrupted     502   tokens were already sent, so it cannot be retried
├── AssetError                a model or dataset file that cannot be had
│   ├── AssetNotFound         404   unknown name, or every source failed: says what was tried
│   ├── HashMismatch                the bytes are not the pinned ones
│   └── DiskFull              507   says how much is missing
├── SandboxUnavailable  501   untrusted code cannot be run safely on this machine: says what would change that
├── OutOfMemory         507   weights and cache do not fit; carries the context that would
└── StorageError        500   a database refused

Ray keeps an error's type and fields across processes only if its signature is `(message, **context)`: keep it.
"""

from typing import Any


class NeuroForgeError(Exception):
    """Base of all; `context` holds the values behind the message and never a prompt or a secret."""

    http_status = 500
    retryable = False
    code = "internal_error"
    type = "server_error"

    def __init__(self, message: str, **context: Any) -> None:
        super().__init__(message)
        self.message = message
        self.context = context

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.context)


def _rebuild(cls: type[NeuroForgeError], message: str, context: dict[str, Any]) -> NeuroForgeError:
    return cls(message, **context)


def first_of(group: BaseExceptionGroup[NeuroForgeError]) -> BaseException:
    """Return the first error of a group, however deep it lies: callers are told one."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


class ConfigError(NeuroForgeError):
    """Settings that cannot be used; names the key."""

    code = "invalid_configuration"
    http_status = 400


class DataError(NeuroForgeError):
    """Input rows or arrays that cannot be used."""

    code = "invalid_data"
    http_status = 400


class RequestError(NeuroForgeError):
    """Context may hold `param`: the field of the request that is wrong, as a path."""

    http_status = 400
    code = "invalid_request"
    type = "invalid_request_error"


class UnsupportedParameter(RequestError):
    """Context: `param`, and `model_id` where one model is meant."""

    code = "unsupported_parameter"


class ContextLengthExceeded(RequestError):
    """Context: `n_prompt_tokens`, `context_length`."""

    code = "context_length_exceeded"


class AuthenticationError(RequestError):
    """No key was given, or none that is known."""

    http_status = 401
    code = "invalid_api_key"
    type = "authentication_error"


class PermissionDenied(RequestError):
    """The key is known and may not do this."""

    http_status = 403
    code = "permission_denied"
    type = "permission_error"


class NotFound(RequestError):
    """Context: what was looked for."""

    http_status = 404
    code = "not_found"


class ModelNotFound(NotFound):
    """Context: `model_id`, `known` (the ids that exist)."""

    code = "model_not_found"


class ConflictError(RequestError):
    """The thing is in a state that forbids this."""

    http_status = 409
    code = "conflict"


class RequestTooLarge(RequestError):
    """Context: `max_body_bytes`."""

    http_status = 413
    code = "request_too_large"


class RateLimited(RequestError):
    """Context: `retry_after_s`."""

    http_status = 429
    retryable = True
    code = "rate_limit_exceeded"
    type = "rate_limit_error"


class EngineError(NeuroForgeError):
    """Context usually holds `model_id`."""

    http_status = 502
    code = "engine_error"


class EngineOverloaded(EngineError):
    """Context: `retry_after_s`."""

    http_status = 429
    retryable = True
    code = "model_overloaded"
    type = "rate_limit_error"


class EngineUnavailable(EngineError):
    """Nothing was generated: another replica may be asked."""

    http_status = 503
    retryable = True
    code = "model_unavailable"


class EngineTimeout(EngineError):
    """The deadline passed; the slot was freed."""

    http_status = 504
    code = "deadline_exceeded"
    type = "timeout_error"


class StreamInterrupted(EngineError):
    """Tokens were already sent, so it cannot be retried."""

    code = "stream_interrupted"


class AssetError(NeuroForgeError):
    """A model or dataset file that cannot be had."""

    code = "asset_error"


class AssetNotFound(AssetError):
    """Context: `tried`, each source with its reason."""

    http_status = 404
    code = "asset_not_found"


class HashMismatch(AssetError):
    """Context: `expected`, `actual`."""

    code = "hash_mismatch"


class DiskFull(AssetError):
    """Context: `needed_bytes`, `free_bytes`, `path`."""

    http_status = 507
    code = "disk_full"


class SandboxUnavailable(NeuroForgeError):
    """Untrusted code cannot be run safely on this machine; says what the kernel refused, and the remedy."""

    http_status = 501
    code = "sandbox_unavailable"


class OutOfMemory(NeuroForgeError):
    """Context: `needed_bytes`, `free_bytes`, `fitting_context_length` (None if not even the weights fit)."""

    http_status = 507
    code = "out_of_memory"


class StorageError(NeuroForgeError):
    """A database refused."""

    code = "storage_error"
