"""Names of variants that people write -> variants: a variant's id, or the model's where it has only one."""

from collections.abc import Sequence

from neuroforge.contracts.experiments import Variant
from neuroforge.errors import RequestError


def find_variant(name: str, variants: Sequence[Variant], param: str) -> Variant:
    """Return the variant with this id, or the only one of this model.

    Raises:
        RequestError: There is none, or several; names those that there are.
    """
    found = [one for one in variants if one.id == name] or [one for one in variants if one.model_id == name]
    if len(found) == 1:
        return found[0]
    choice = ", ".join(one.id for one in found or variants)
    why = f"names a model with {len(found)} variants" if found else "does not exist"
    raise RequestError(f"{param}: the variant {name!r} {why}; give one of {choice}", param=param)


def resolve_planned(pairs: Sequence[tuple[str, str]], variants: Sequence[Variant]) -> tuple[tuple[str, str], ...]:
    """Return the pairs as ids of variants, each pair once.

    Raises:
        RequestError: As `find_variant`, or a pair of one variant with itself.
    """
    found: dict[frozenset[str], tuple[str, str]] = {}
    for a, b in pairs:
        pair = (find_variant(a, variants, "planned").id, find_variant(b, variants, "planned").id)
        if pair[0] == pair[1]:
            raise RequestError(f"planned: {a!r} and {b!r} are the same variant", param="planned")
        found.setdefault(frozenset(pair), pair)
    return tuple(found.values())
