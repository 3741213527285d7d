"""PromptRelease -> MLflow's prompt registry: versions, aliases, tags; SQLite or a server, as `tracking` has it.

Others read it there by `mlflow.genai.load_prompt("prompts:/name@alias")`. mlflow is imported at the first use.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from neuroforge.contracts.prompt_serving import content_hash_of
from neuroforge.contracts.prompts import PromptRelease
from neuroforge.storage.tracking import name_of, translated, url_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""What MLflow says of a prompt, and of an alias, that is not there."""
_LONGEST_TAG = 90_000
"""Characters; MLflow takes 100,000."""


class MlflowPrompts:
    """Implements PromptHistory."""

    def __init__(self, url: str | None, home: Path) -> None:
        """Args: `url` of an MLflow server or database; None = SQLite in `home`."""
        self._url = url_of(url, home)

    def record(self, release: PromptRelease) -> str:
        """See PromptHistory; the address is MLflow's own, such as `prompts:/sense/3`."""
        messages = [{"role": one.role, "content": one.content} for one in release.messages]
        with translated(self._url, f"the prompt {release.name!r}"):
            kept = self._client().register_prompt(
                release.name, messages, commit_message=release.reason, tags=_tags(release) | _examples(release)
            )
        return str(kept.uri)

    def forget(self, address: str) -> None:
        """See PromptHistory."""
        name, version = _parts(address)
        with translated(self._url, f"the removal of {address}"):
            self._client().delete_prompt_version(name, version)

    def move_alias(self, name: str, alias: str, address: str | None) -> str | None:
        """See PromptHistory."""
        with translated(self._url, f"the alias {name}@{alias}"):
            client = self._client()
            former = self._named(client, name, alias)
            if address is not None:
                client.set_prompt_alias(name, alias, int(_parts(address)[1]))
            elif former is not None:
                client.delete_prompt_alias(name, alias)
        return former

    def _client(self) -> "MlflowClient":
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self._url, registry_uri=self._url)

    def _named(self, client: "MlflowClient", name: str, alias: str) -> str | None:
        from mlflow.exceptions import MlflowException

        try:
            return str(client.get_prompt_version_by_alias(name, alias).uri)
        except MlflowException as error:
            if error.error_code in _ABSENT:
                return None
            raise


def _tags(release: PromptRelease) -> dict[str, str]:
    known = {
        "content_hash": content_hash_of(release),
        "variables": ", ".join(release.variables),
        "models": ", ".join(release.models),
        "evidence": release.evidence,
        "decoding": None
        if release.decoding is None
        else release.decoding.model_dump_json(exclude={"name", "seed"}, exclude_none=True),
        "verbalizer": json.dumps(release.verbalizer) if release.verbalizer else None,
        "labels": json.dumps(release.labels) if release.labels else None,
        "test_score": None if release.test_score is None else release.test_score.model_dump_json(),
        "improvement": None if release.improvement is None else release.improvement.model_dump_json(),
    }
    own = {name_of(key): value for key, value in release.tags.items()}
    return own | {key: value for key, value in known.items() if value}


def _examples(release: PromptRelease) -> dict[str, str]:
    """Those of which the nearest are shown, in as many tags as their length needs."""
    if release.nearest is None:
        return {}
    text = release.nearest.model_dump_json(exclude_defaults=True)
    starts = range(0, len(text), _LONGEST_TAG)
    return {f"examples.{number}": text[start : start + _LONGEST_TAG] for number, start in enumerate(starts, start=1)}


def _parts(address: str) -> tuple[str, str]:
    name, _, version = address.removeprefix("prompts:/").rpartition("/")
    return name, version
