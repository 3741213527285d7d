"""ray_cluster.yaml is what `ray up` accepts."""

from pathlib import Path

import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

CONFIG = Path(__file__).parents[3] / "ray_cluster.yaml"


def test_ray_up_accepts_it() -> None:
    config = prepare_config(yaml.safe_load(CONFIG.read_text()))
    validate_config(config)
    assert config["cluster_name"] == "neuroforge"


def test_every_node_demands_the_token() -> None:
    config = yaml.safe_load(CONFIG.read_text())
    for commands in (config["head_start_ray_commands"], config["worker_start_ray_commands"]):
        starts = [one for one in commands if "ray start" in one]
        assert starts
        assert all("RAY_AUTH_MODE=token" in one for one in starts)
