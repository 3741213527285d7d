"""Add one model to a settings file and leave every other line as it is (docs/decisions/070).

The new entry is put as text behind the last one; then the file is parsed again and must mean exactly the old tree plus
the entry. Where that cannot be done (a flow-style list, anchors), the caller gets None and shows the entry instead.
"""

from typing import Any

import yaml

from neuroforge.errors import ConfigError

INDENT = 2


def add_model(text: str, entry: dict[str, Any], default_models: list[dict[str, Any]]) -> str | None:
    """Return the file with the entry added as the last model.

    Args:
        text: The whole file, may be empty.
        default_models: What is served when the file has no `models`; written out first, as they would otherwise vanish.
    Returns:
        The new text, or None when the entry cannot be put in without touching other lines.
    Raises:
        ConfigError: The text is not a YAML mapping, or a model of that id is in it.
    """
    tree = _parsed(text)
    models = tree.get("models")
    if models is None:
        if "models" in tree:
            return None
        wanted = [*default_models, entry]
        _check_is_new(default_models, entry)
        block = "models:\n" + entries_text(wanted, INDENT)
        return _if_same(_with_block_at_end(text, block), tree, wanted)
    if not isinstance(models, list):
        raise ConfigError("models: must be a list")
    _check_is_new(models, entry)
    return _if_same(_behind_last(text, entry), tree, [*models, entry])


def entries_text(entries: list[dict[str, Any]], indent: int) -> str:
    """Return YAML list items, indented."""
    dumped: str = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True)
    return "".join(" " * indent + line + "\n" for line in dumped.splitlines())


def _behind_last(text: str, entry: dict[str, Any]) -> str | None:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return None
    items = next(value for key, value in root.value if key.value == "models")
    if items.flow_style or not items.value:
        return None
    lines = text.splitlines(keepends=True)
    last = _last_line(items)
    if not lines[last].endswith("\n"):
        lines[last] += "\n"
    lines.insert(last + 1, entries_text([entry], items.start_mark.column))
    return "".join(lines)


def _last_line(node: yaml.Node) -> int:
    if not isinstance(node, yaml.CollectionNode) or not node.value or node.flow_style:
        mark = node.end_mark
        return int(mark.line - 1 if mark.column == 0 else mark.line)
    last = node.value[-1]
    return _last_line(last[1] if isinstance(last, tuple) else last)


def _with_block_at_end(text: str, block: str) -> str:
    if text and not text.endswith("\n"):
        text += "\n"
    return text + ("\n" if text.strip() else "") + block


def _if_same(text: str | None, tree: dict[str, Any], models: list[dict[str, Any]]) -> str | None:
    if text is None:
        return None
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    return text if found == {**tree, "models": models} else None


def _check_is_new(models: list[Any], entry: dict[str, Any]) -> None:
    if any(isinstance(one, dict) and one.get("id") == entry["id"] for one in models):
        raise ConfigError(f"a model {entry['id']!r} is there already; choose another name with --id")


def _parsed(text: str) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError("the settings file is not valid YAML; see `neuroforge config validate`") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError("the settings file's top level must be a mapping such as `models: [...]`")
    return tree
