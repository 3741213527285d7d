"""Where pip would look, as its user configured it: indexes, link folders, proxy, certificates."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from neuroforge.assets.failures import SourceFailed

PIP_TIMEOUT_S = 60.0
RunCommand = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True)
class PipConfig:
    """The part of pip's configuration that says where packages come from. Addresses may hold passwords."""

    index_urls: tuple[str, ...] = field(repr=False)
    """Tried in this order: the index, then the extra ones."""
    find_links: tuple[str, ...] = field(default=(), repr=False)
    """Directories or pages with links to archives."""
    cert: str | None = None
    proxy: str | None = field(default=None, repr=False)


def run_command(command: Sequence[str], environ: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run and return with the output as text; a bad exit is the caller's to judge.

    Raises:
        SourceFailed: It takes too long.
    """
    try:
        return subprocess.run(
            list(command),
            env=dict(environ),
            capture_output=True,
            text=True,
            timeout=PIP_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceFailed(f"pip did not answer within {PIP_TIMEOUT_S:.0f} s") from error


def read_pip_config(run: RunCommand) -> PipConfig:
    """Ask pip itself: it knows its files, its environment variables and its own default index.

    Raises:
        SourceFailed: This Python has no pip.
    """
    listed = run((sys.executable, "-m", "pip", "config", "list"))
    if listed.returncode != 0:
        raise SourceFailed(f"pip does not run here; try `{sys.executable} -m ensurepip`")
    options = parse_options(listed.stdout)
    indexes: list[str] = []
    if options.get("no-index", "").lower() not in ("1", "true", "yes", "on"):
        indexes = [options.get("index-url") or _default_index(run), *options.get("extra-index-url", "").split()]
    return PipConfig(
        index_urls=tuple(indexes),
        find_links=tuple(options.get("find-links", "").split()),
        cert=options.get("cert") or None,
        proxy=options.get("proxy") or None,
    )


def parse_options(listing: str) -> dict[str, str]:
    """Return the options that `pip download` would use from the lines of `pip config list`.

    Later wins: [global], [download], then PIP_* variables, as pip itself orders them.
    """
    by_scope: dict[str, dict[str, str]] = {"global": {}, "download": {}, ":env:": {}}
    for line in listing.splitlines():
        name, is_set, value = line.partition("=")
        scope, _, option = name.partition(".")
        if is_set and scope in by_scope:
            by_scope[scope][option] = _unquoted(value)
    return {**by_scope["global"], **by_scope["download"], **by_scope[":env:"]}


def _unquoted(value: str) -> str:
    try:
        return str(ast.literal_eval(value))
    except (ValueError, SyntaxError):
        return value


def _default_index(run: RunCommand) -> str:
    """Return the index that pip falls back to; its help is the one public place that says it."""
    text = re.sub(r"\s+", "", run((sys.executable, "-m", "pip", "download", "--help")).stdout)
    match = re.search(r"--index-url<url>.*?\(default(https?://[^)]+)\)", text)
    if match is None:
        raise SourceFailed("pip names no default index; set one with `pip config set global.index-url URL`")
    return match[1]
