"""What every message has in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict

JsonObject = dict[str, Any]
"""A decoded JSON object whose inside belongs to another wire (OpenAI's, an engine's)."""


class Contract(BaseModel):
    """A frozen record with no unknown fields and no NaN. Missing is None plus a reason, never -1 or 0."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
