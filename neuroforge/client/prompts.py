"""`client.prompts`: prompts that are served by name."""

from neuroforge.client.prompt_releases import AsyncPromptReleases, PromptReleases


class Prompts(PromptReleases):
    """The blocking client's part."""


class AsyncPrompts(AsyncPromptReleases):
    """The async client's part."""
