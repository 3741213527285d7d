"""Whether a scorer can use its references: told when the item is made, not when a model has been paid."""

from collections.abc import Sequence

from neuroforge.contracts.scores import ScorerName
from neuroforge.scoring.function_call import read_expected
from neuroforge.scoring.json_schema import check_schema
from neuroforge.scoring.numeric import last_number
from neuroforge.scoring.regex import check_pattern


def check_references(scorer: ScorerName, references: Sequence[str]) -> None:
    """Return if the scorer understands each reference.

    Raises:
        ValueError: One is no pattern, no schema, no list of calls, or holds no number; says why.
    """
    for reference in references:
        match scorer:
            case "regex":
                check_pattern(reference)
            case "json_schema":
                check_schema(reference)
            case "function_call":
                read_expected(reference)
            case "numeric":
                if last_number(reference) is None:
                    raise ValueError(f"reference {reference!r} holds no number")
            case _:
                pass
