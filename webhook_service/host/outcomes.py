"""Outcomes: the answer to a call whose sender waits for what comes of it.

200 means that the target runs what was pushed. 424 and 409 are not worth a repetition, and no
proxy takes them for a fault of this host, as it would a 5xx.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive

from webhook_service.host.http.disconnect import disconnected
from webhook_service.host.http.links import Links
from webhook_service.host.http.prefer import Preferences, read_preferences
from webhook_service.host.waiting import Waiters
from webhook_service.host.wire import change_resource, outcome_json
from webhook_service.model.delivery import CallOutcome, Delivery
from webhook_service.model.execution import Execution, ExecutionState
from webhook_service.model.receiver import Respond
from webhook_service.resources import ResultResource

DEFAULT_WAIT = 60.0


STATUS = {
    CallOutcome.SUCCEEDED: 200,
    CallOutcome.PENDING: 202,
    CallOutcome.SUPERSEDED: 409,
    CallOutcome.FAILED: 424,
}
_FAILED = (ExecutionState.FAILED, ExecutionState.CANCELLED)


class Outcomes:
    """Waits for the executions of a delivery, and says what came of them.

    Args:
        waiters: where to wait.
        max_wait: seconds for which a call may wait, whatever it prefers; 0 lets none wait.
    """

    def __init__(self, waiters: Waiters, max_wait: float) -> None:
        self.waiters = waiters
        self._max_wait = max_wait

    async def answer(self, request: Request, delivery: Delivery, links: Links) -> Response | None:
        """The answer to a caller that wants to wait; None to one that does not, or for nothing.

        Raises:
            ClientDisconnect: it did not wait to the end.
        """
        asked = request.headers.getlist("prefer")
        if not asked and delivery.respond is Respond.ACCEPTED:
            return None
        preferences = read_preferences(asked)
        seconds = self._patience(preferences, delivery)
        if not seconds or not delivery.executions:
            return None
        refusal = self.waiters.refusal(delivery.project)
        ended = await self._ended(request.receive, delivery, seconds)
        outcome = judge(delivery.executions, ended)
        shown = [ended[id_] for id_ in delivery.executions if id_ in ended]
        results = [_result(each, delivery.respond, links) for each in shown]
        body = outcome_json(delivery, links, outcome, results, refusal)
        applied = {} if preferences.wait is None else {"Preference-Applied": f"wait={seconds:g}"}
        headers = {"X-Api-Schemas": links.schemas, **applied}
        return JSONResponse(body, STATUS[outcome], headers)

    def _patience(self, preferences: Preferences, delivery: Delivery) -> float:
        if preferences.wait is not None:
            return min(preferences.wait, self._max_wait)
        if delivery.respond is Respond.OUTCOME and not preferences.respond_async:
            return min(DEFAULT_WAIT, self._max_wait)
        return 0.0

    async def _ended(
        self, receive: Receive, delivery: Delivery, seconds: float
    ) -> Mapping[str, Execution]:
        ended = asyncio.ensure_future(
            self.waiters.ended(delivery.project, delivery.executions, seconds)
        )
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            await asyncio.wait({ended, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                raise ClientDisconnect
            return ended.result()
        finally:
            ended.cancel()
            gone.cancel()


def judge(executions: Collection[str], ended: Mapping[str, Execution]) -> CallOutcome:
    """One word for all: the worst of them, once each has ended."""
    if len(ended) < len(set(executions)):
        return CallOutcome.PENDING
    states = {execution.state for execution in ended.values()}
    if states.intersection(_FAILED):
        return CallOutcome.FAILED
    if ExecutionState.SUPERSEDED in states:
        return CallOutcome.SUPERSEDED
    return CallOutcome.SUCCEEDED


def _result(execution: Execution, respond: Respond, links: Links) -> ResultResource:
    """What came of one execution: its details only if the receiver is made for such answers.

    The URL of any other receiver may be known to those who must not see what runs.
    """
    # Of those that still wait only the settled ones come here: only tidying up is left.
    settled = execution.state is ExecutionState.WAITING
    detailed = respond is Respond.OUTCOME
    changes = [change_resource(change) for change in execution.changes]
    return ResultResource(
        id=execution.id,
        state=ExecutionState.SUCCEEDED if settled else execution.state,
        reason=execution.reason,
        superseded_by=execution.superseded_by,
        links={"self": links.to(f"/executions/{execution.id}")},
        message=execution.message if detailed else None,
        changes=changes if detailed else None,
    )
