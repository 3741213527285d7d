"""The body of a task as a type; see `wire`. What a field means stands at `contracts.tasks.Task`."""

from typing import Annotated, Any

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from neuroforge.contracts.tasks import Scorer, TaskMode, Verifier
from neuroforge.gateway.wire import STRICT, Messages, Name, RouteFields, Unit
from neuroforge.gateway.wire_requests import ChatOptions


@with_config(STRICT)
class TaskRequest(TypedDict, total=False):
    """POST /v1/tasks: work for one or several models."""

    mode: TaskMode | None
    messages: Messages | None
    prompts: Annotated[list[str], Field(min_length=1, max_length=256, fail_fast=True)] | None
    model: Name | None
    models: Annotated[list[Name], Field(min_length=1, max_length=16)] | None
    n: Annotated[int, Field(ge=1, le=16)] | None
    scorer: Scorer | None
    verifier: Verifier | None
    threshold: Unit | None
    stop_early: bool | None
    judge: Name | None
    options: ChatOptions | None
    route: RouteFields | None
    deadline_s: Annotated[float, Field(gt=0, le=86_400)] | None


TASK: TypeAdapter[Any] = TypeAdapter(TaskRequest)
NAMES: tuple[str, ...] = tuple(TaskRequest.__annotations__)
