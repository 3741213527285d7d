"""Two lists of models -> what changes between them. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Set

from neuroforge.contracts.fleet import SpecChange
from neuroforge.contracts.models import ModelSpec

SOFT_FIELDS = frozenset({"price", "tags", "keep_alive", "preload", "load_on_demand", "capabilities", "upstream"})
"""Settings that take effect without Serve."""
_SCALE_FIELDS = frozenset({"replicas"})
"""Settings that Serve changes without replacing the replicas that run."""


def compare(known: Mapping[str, ModelSpec], wanted_ids: Set[str], wished: Iterable[ModelSpec]) -> Iterator[SpecChange]:
    """Yield what must change: removals first, so that their memory is free for what is added.

    Args:
        known: The models there are, by id.
        wanted_ids: Those that are loaded or loading; one that should be preloaded and is not among them is a `load`.
    """
    specs = {spec.id: spec for spec in wished}
    for model_id in sorted(known.keys() - specs.keys()):
        yield SpecChange(model_id=model_id, kind="remove")
    for model_id, spec in sorted(specs.items()):
        if model_id not in known:
            yield SpecChange(model_id=model_id, kind="add")
        elif fields := differing_fields(known[model_id], spec):
            yield SpecChange(model_id=model_id, kind="update", fields=fields, needs_restart=needs_restart(fields))
        elif is_preloaded(spec) and model_id not in wanted_ids:
            yield SpecChange(model_id=model_id, kind="load")


def differing_fields(one: ModelSpec, other: ModelSpec) -> tuple[str, ...]:
    """Return the names of the settings that differ."""
    return tuple(name for name in ModelSpec.model_fields if getattr(one, name) != getattr(other, name))


def needs_restart(fields: Iterable[str]) -> bool:
    """Return whether replicas must be replaced for these settings."""
    return needs_deployment(set(fields) - _SCALE_FIELDS)


def needs_deployment(fields: Iterable[str]) -> bool:
    """Return whether Serve must be told at all."""
    return not SOFT_FIELDS.issuperset(fields)


def is_preloaded(spec: ModelSpec) -> bool:
    """Return whether the model is loaded at start: with `replicas.min` 0 it waits for its first request."""
    return spec.preload and spec.replicas.min > 0
