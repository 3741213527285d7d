"""POST /v1/tasks: work for one or several models -> what came of it; every member's tokens are on the caller's bill."""

from starlette.types import Receive, Scope, Send

from neuroforge.contracts.answers import total_of
from neuroforge.contracts.routing import Spent
from neuroforge.contracts.tasks import Task, TaskResult
from neuroforge.errors import RequestError, UnsupportedParameter
from neuroforge.gateway.ask import Ask
from neuroforge.gateway.auth import Caller
from neuroforge.gateway.body import read_body
from neuroforge.gateway.call import Call, call_of
from neuroforge.gateway.desk import Desk
from neuroforge.gateway.errors import JSON_HEADERS, send_bytes
from neuroforge.gateway.infer import name_field
from neuroforge.gateway.parts import GatewayParts
from neuroforge.gateway.render import CompletionRenderer
from neuroforge.gateway.task_body import ASSESSOR_FIELDS, check_models, in_tasks_words, parse_task
from neuroforge.gateway.watch import Deadline
from neuroforge.hangup import Watch


class TaskRoute:
    """Hands a checked task to the executor; who hangs up cancels all of its members."""

    def __init__(self, parts: GatewayParts, desk: Desk) -> None:
        self._tasks = parts.tasks
        self._fleet_view = parts.fleet_view
        self._timeout_s = parts.options.request_timeout_s
        self._slack_s = parts.options.deadline_slack_s
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        call = call_of(scope)
        call.route = "tasks"
        caller = self._desk.admit_inference(call)
        task, ask = parse_task(await read_body(call, receive), self._timeout_s)
        check_models(task, caller, self._fleet_view.snapshot)
        self._desk.limiter.admit_prompts(caller.key, call, len(task.prompts or ()))
        call.target = ",".join(task.models or (task.model,))
        async with Watch(receive), Deadline(task.deadline_s or self._timeout_s, self._slack_s):
            result = await self._execute(task, ask, call, caller)
            note_winner(call, result)
            await send_bytes(send, 200, _shown(result).model_dump_json().encode(), JSON_HEADERS)

    async def _execute(self, task: Task, ask: Ask, call: Call, caller: Caller) -> TaskResult:
        spent: list[Spent] = []
        try:
            return await self._tasks.execute_task(task, ask.routing(call, caller), spent)
        except UnsupportedParameter as error:
            raise in_tasks_words(_name_assessor(name_field(error, ask), task, ask)) from error
        except RequestError as error:
            raise in_tasks_words(error) from error
        finally:
            call.shares = tuple((one.model_id, one.usage) for one in spent)
            call.usage = total_of(usage for _, usage in call.shares)


def note_winner(call: Call, result: TaskResult) -> None:
    """Keep who answers for the books, and tell the caller in the headers."""
    model_ids = {one.model_id for one in result.members if one.decision_id is not None}
    if len(model_ids) == 1:
        (call.model_id,) = model_ids
    if result.winner is None:
        return
    winner = result.members[result.winner]
    call.model_id = winner.model_id
    call.decision_headers = [(b"x-neuroforge-model", winner.model_id.encode())]
    if winner.decision_id is not None:
        call.decision_headers.append((b"x-neuroforge-decision", winner.decision_id.encode()))


def _name_assessor(error: UnsupportedParameter, task: Task, ask: Ask) -> UnsupportedParameter:
    """Name the scorer or the verifier where it, and not the caller, wants what no model offers."""
    field, capability = ASSESSOR_FIELDS.get(task.mode), error.context.get("capability")
    if field is None or capability != "logprobs" or capability in ask.field_by_capability:
        return error
    return UnsupportedParameter(error.message, **{**error.context, "param": field})


def _shown(result: TaskResult) -> TaskResult:
    """The winner's body with an id and a model name of ours."""
    if result.body is None or result.winner is None:
        return result
    body = CompletionRenderer("chatcmpl-", include_usage=False).whole(
        result.body, result.members[result.winner].model_id
    )
    return TaskResult(**{**dict(result), "body": body})
