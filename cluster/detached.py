"""Actors of which a cluster has one each: found by name, on the head node, back by themselves after a crash."""

from typing import Any

from cluster.names import NAMESPACE, ON_HEAD

ONCE: dict[str, Any] = {"max_task_retries": 0}
"""Options of a call whose repetition would do more: Ray repeats others when the actor died before it answered."""


def get_or_create(remote_class: Any, name: str, *args: Any, **options: Any) -> Any:
    """Return the handle, creating the actor on the head node if it is not there.

    Args:
        remote_class: What ray.remote made of a class; it gets `args`.
        options: Of Ray's, beside those that all of them have.
    """
    return remote_class.options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        max_restarts=-1,
        max_task_retries=3,
        num_cpus=0,
        resources=ON_HEAD,
        **options,
    ).remote(*args)
