"""Model ids -> families; a judge of a contestant's family favours its own kind."""

import re
from collections.abc import Mapping, Sequence

from neuroforge.contracts.experiments import ExperimentConfig
from neuroforge.contracts.models import ModelStatus
from neuroforge.errors import ConfigError

_TAG = "family:"
_FIRST_WORD = re.compile(r"[a-z]+")
_ALIASES = {
    **dict.fromkeys(("tinyllama", "codellama"), "llama"),
    **dict.fromkeys(("mixtral", "codestral", "ministral", "devstral"), "mistral"),
    **dict.fromkeys(("chatgpt", "o"), "gpt"),
    "codegemma": "gemma",
    "qwq": "qwen",
}


def family_of(model_id: str, tags: Sequence[str] = ()) -> str:
    """Return the family: that of a tag `family:NAME`, else the first word of the id without publisher and version.

    A fine-tune that is called otherwise than its base needs the tag.
    """
    for tag in tags:
        if tag.startswith(_TAG) and len(tag) > len(_TAG):
            return tag.removeprefix(_TAG).lower()
    name = model_id.rpartition("/")[2].lower()
    found = _FIRST_WORD.search(name)
    word = found[0] if found else name
    return _ALIASES.get(word, word)


def relatives_of_judge(config: ExperimentConfig, tags_by_model: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the contestants of the judge's family; empty without a judge."""
    if config.judge is None:
        return ()
    family = family_of(config.judge.model_id, tags_by_model.get(config.judge.model_id, ()))
    return tuple(one for one in config.models if family_of(one, tags_by_model.get(one, ())) == family)


def check_judge(config: ExperimentConfig, hosted: Sequence[ModelStatus] = ()) -> None:
    """Return if the judge may judge.

    Args:
        hosted: For tags; without them families are read from the ids.
    Raises:
        ConfigError: It is of a contestant's family, and that was not allowed; or it has no pairs to compare.
    """
    n_variants = len(config.models) * len(config.prompts) * len(config.decodings)
    if config.judge is not None and config.judge.mode == "pairwise" and n_variants < 2:
        raise ConfigError("judge: pairs need at least two models, prompts or decodings; grade by rubric instead")
    tags = {model.id: model.tags for model in hosted}
    relatives = relatives_of_judge(config, tags)
    if relatives and config.judge is not None and not config.judge.allow_same_family:
        family = family_of(config.judge.model_id, tags.get(config.judge.model_id, ()))
        raise ConfigError(
            f"the judge {config.judge.model_id!r} is of the family {family!r}, as is {', '.join(relatives)}: models "
            "favour their own kind. Name another judge, tag the models `family:NAME` if that is wrong, or set "
            "allow_same_family"
        )
