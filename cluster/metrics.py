"""Numbers that matter, through Ray's metrics; and the cluster's whole exposition, gathered from every node's agent."""

import asyncio
import re
from collections.abc import Iterable, Mapping

import aiohttp
import ray
from ray.util import metrics as ray_metrics

LATENCY_BOUNDARIES_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0]
_SCRAPE_TIMEOUT_S = 5.0
_SAMPLE = re.compile(r"^([A-Za-z_:][A-Za-z0-9_:]*)")
_SUFFIXES = ("_bucket", "_count", "_sum", "_total", "_created")


class RayMetrics:
    """Metrics on ray.util.metrics: each node's agent exports them, also to Ray's own dashboards."""

    def __init__(self) -> None:
        self._by_name: dict[str, ray_metrics.Counter | ray_metrics.Histogram | ray_metrics.Gauge] = {}

    def count(self, name: str, value: float = 1.0, tags: Mapping[str, str] | None = None) -> None:
        """See Metrics."""
        metric = self._by_name.get(name)
        if metric is None:
            metric = self._by_name[name] = ray_metrics.Counter(name, tag_keys=_keys(tags))
        metric.inc(value, _tags(tags))

    def observe(self, name: str, value: float, tags: Mapping[str, str] | None = None) -> None:
        """See Metrics."""
        metric = self._by_name.get(name)
        if metric is None:
            metric = self._by_name[name] = ray_metrics.Histogram(
                name, boundaries=LATENCY_BOUNDARIES_S, tag_keys=_keys(tags)
            )
        metric.observe(value, _tags(tags))

    def set(self, name: str, value: float, tags: Mapping[str, str] | None = None) -> None:
        """See Metrics."""
        metric = self._by_name.get(name)
        if metric is None:
            metric = self._by_name[name] = ray_metrics.Gauge(name, tag_keys=_keys(tags))
        metric.set(value, _tags(tags))


def _keys(tags: Mapping[str, str] | None) -> tuple[str, ...]:
    return tuple(sorted(tags)) if tags else ()


def _tags(tags: Mapping[str, str] | None) -> dict[str, str] | None:
    return dict(tags) if tags else None


class ClusterMetrics:
    """Every node's metrics in one text, as a Prometheus would have gathered them."""

    async def render(self) -> str:
        """Return Prometheus text format 0.0.4; a node that does not answer is left out and counted."""
        nodes = [node for node in await asyncio.to_thread(ray.nodes) if node["Alive"] and node["MetricsExportPort"]]
        timeout = aiohttp.ClientTimeout(total=_SCRAPE_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
            addresses = [f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics" for node in nodes]
            texts = await asyncio.gather(*(_scrape(session, one) for one in addresses))
        found = [text for text in texts if text is not None]
        missing = (
            "# HELP neuroforge_nodes_unscraped Nodes whose metrics could not be read now.\n"
            "# TYPE neuroforge_nodes_unscraped gauge\n"
            f"neuroforge_nodes_unscraped {len(texts) - len(found)}\n"
        )
        return merge_expositions([*found, missing])


async def _scrape(session: aiohttp.ClientSession, url: str) -> str | None:
    try:
        async with session.get(url) as response:
            return await response.text() if response.status == 200 else None
    except (aiohttp.ClientError, TimeoutError):
        return None


def merge_expositions(texts: Iterable[str]) -> str:
    """Join Prometheus texts so that each family stands together, with its HELP and TYPE once.

    Source: Prometheus exposition format 0.0.4: all lines of a family must form one group.
    """
    families: dict[str, tuple[dict[str, str], list[str]]] = {}
    for text in texts:
        for line in text.splitlines():
            if line.startswith(("# HELP ", "# TYPE ")):
                kind, name = line.split(" ", 3)[1:3]
                families.setdefault(name, ({}, []))[0].setdefault(kind, line)
            elif line and not line.startswith("#") and (match := _SAMPLE.match(line)):
                families.setdefault(_family(match[1], families), ({}, []))[1].append(line)
    lines = [
        line
        for heads, samples in families.values()
        for line in (*(heads[kind] for kind in ("HELP", "TYPE") if kind in heads), *samples)
    ]
    return "\n".join(lines) + "\n"


def _family(sample: str, families: Mapping[str, object]) -> str:
    if sample in families:
        return sample
    return next(
        (
            sample.removesuffix(end)
            for end in _SUFFIXES
            if sample.endswith(end) and sample.removesuffix(end) in families
        ),
        sample,
    )
