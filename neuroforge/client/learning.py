"""What both clients offer of learning: feedback, decisions, the router, what is kept."""

from abc import abstractmethod
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from neuroforge.client import calls_learning as calls
from neuroforge.client.calls import Call
from neuroforge.contracts.outcomes import (
    DataSummary,
    ExportReport,
    ExportRequest,
    Feedback,
    FeedbackReceipt,
    FitUpload,
    OutcomeRecord,
    PurgeReport,
    RouterStatus,
)
from neuroforge.errors import RequestError

T = TypeVar("T")


class Learning:
    """The blocking client's part."""

    @abstractmethod
    def _send(self, call: Call[T], timeout_s: float | None = None) -> T: ...

    def feedback(
        self,
        decision_id: str,
        score: float | bool | None = None,
        *,
        preferred_answer: str | None = None,
        comment: str | None = None,
    ) -> FeedbackReceipt:
        """Say how good an answer was; `decision_id` is its header x-neuroforge-decision up to the semicolon.

        Args:
            decision_id: Of one of this key's own requests, or with the scope admin of any.
            score: 0..1, or whether it was good. Either this or `preferred_answer`.
            preferred_answer: What the answer should have been.
            comment: Kept with it where texts are recorded.
        Raises:
            NotFound: No such decision of this caller, or nothing is kept of it any more.
        """
        return self._send(calls.feedback(_said(decision_id, score, preferred_answer, comment)))

    def decision(self, decision_id: str) -> OutcomeRecord:
        """Why the router chose as it did, and how it went. Raises NotFound as `feedback`."""
        return self._send(calls.decision(decision_id))

    def router_status(self) -> RouterStatus:
        """What the router has learned, and its measured gain over the best single model."""
        return self._send(calls.router_status())

    def apply_fit(self, directory: str | Path) -> RouterStatus:
        """Decide by the router directory from now on. Raises DataError: it cannot be used; nothing has changed."""
        return self.apply_upload(calls.fit_upload(Path(directory)))

    def apply_upload(self, upload: FitUpload) -> RouterStatus:
        """As `apply_fit`, of files or of a directory on the head node."""
        return self._send(calls.apply_fit(upload))

    def data_summary(self) -> DataSummary:
        """What is kept of requests, and where."""
        return self._send(calls.data_summary())

    def export_data(self, path: str, after_seq: int = 0, for_fit: bool = False) -> ExportReport:
        """Write outcomes as Parquet on the head node; `for_fit` only those with a text and a score."""
        return self._send(calls.export_data(ExportRequest(path=path, after_seq=after_seq, for_fit=for_fit)))

    def purge_data(self, actor: str | None = None, before_s: float | None = None) -> PurgeReport:
        """Delete what is kept: of one caller, from before a Unix time, or everything."""
        return self._send(calls.purge_data(actor, before_s))


class AsyncLearning:
    """The async client's part."""

    @abstractmethod
    async def _send(self, call: Call[T], timeout_s: float | None = None) -> T: ...

    async def feedback(
        self,
        decision_id: str,
        score: float | bool | None = None,
        *,
        preferred_answer: str | None = None,
        comment: str | None = None,
    ) -> FeedbackReceipt:
        """As the blocking client."""
        return await self._send(calls.feedback(_said(decision_id, score, preferred_answer, comment)))

    async def decision(self, decision_id: str) -> OutcomeRecord:
        """Why the router chose as it did, and how it went. Raises NotFound as `feedback`."""
        return await self._send(calls.decision(decision_id))

    async def router_status(self) -> RouterStatus:
        """What the router has learned, and its measured gain over the best single model."""
        return await self._send(calls.router_status())

    async def apply_fit(self, directory: str | Path) -> RouterStatus:
        """Decide by the router directory from now on. Raises DataError: it cannot be used; nothing has changed."""
        return await self.apply_upload(calls.fit_upload(Path(directory)))

    async def apply_upload(self, upload: FitUpload) -> RouterStatus:
        """As `apply_fit`, of files or of a directory on the head node."""
        return await self._send(calls.apply_fit(upload))

    async def data_summary(self) -> DataSummary:
        """What is kept of requests, and where."""
        return await self._send(calls.data_summary())

    async def export_data(self, path: str, after_seq: int = 0, for_fit: bool = False) -> ExportReport:
        """Write outcomes as Parquet on the head node; `for_fit` only those with a text and a score."""
        return await self._send(calls.export_data(ExportRequest(path=path, after_seq=after_seq, for_fit=for_fit)))

    async def purge_data(self, actor: str | None = None, before_s: float | None = None) -> PurgeReport:
        """Delete what is kept: of one caller, from before a Unix time, or everything."""
        return await self._send(calls.purge_data(actor, before_s))


def _said(decision_id: str, score: float | bool | None, preferred_answer: str | None, comment: str | None) -> Feedback:
    try:
        return Feedback(decision_id=decision_id, score=score, preferred_answer=preferred_answer, comment=comment)
    except ValidationError as error:
        raise RequestError(str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from error
