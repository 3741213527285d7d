"""`python -m tests.benchmarks.deploy_fixed RAY_ADDRESS BASE_URL`: see fixed_app.deploy."""

import logging
import sys

import ray

from tests.benchmarks import fixed_app


def main() -> None:
    """Join the cluster, deploy, leave."""
    address, base_url = sys.argv[1:3]
    ray.init(address=address, namespace="neuroforge-benchmark", log_to_driver=False, logging_level=logging.WARNING)
    ray.cloudpickle.register_pickle_by_value(fixed_app)
    fixed_app.deploy(base_url)
    ray.shutdown()


if __name__ == "__main__":
    main()
