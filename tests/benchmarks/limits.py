"""A limit of the product, changed for a comparison with what it cuts off."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def limited(module: ModuleType, name: str, value: int) -> Iterator[None]:
    """Give a module's constant another value while the block runs."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)
