"""A stream that goes on beside other tests."""

import threading
import time

from neuroforge.errors import NeuroForgeError
from tests.cluster.fleet import load, replica_processes, small, until
from tests.server import RunningServer

SPEC = small("long-stream", context_length=8192, load_on_demand=False)
LOWEST_PRIORITY = 19


class LongStream(threading.Thread):
    """Reads a model's tokens until told to stop; the end-of-text token is forbidden so that the model goes on."""

    def __init__(self, server: RunningServer) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._is_over = False
        self.begun_s = 0.0
        self.n_chunks = 0
        self.error: BaseException | None = None

    def begin(self) -> None:
        """Load the model, give the tests beside it the right of way, and wait for the first token."""
        with self._server.admin() as client:
            load(client, SPEC)
        for process in replica_processes(self._server, SPEC.id):
            process.nice(LOWEST_PRIORITY)
        self.start()
        until(lambda: self.n_chunks > 0 or self.error is not None, "the stream has begun", 60)
        self.begun_s = time.monotonic()

    def wait_for_more(self, after_s: float) -> int:
        """Wait until it is so old and has delivered once more, or has ended; return the chunks until that age."""
        until(lambda: time.monotonic() - self.begun_s > after_s or not self.is_alive(), "it is old", after_s + 60)
        n_before = self.n_chunks
        until(lambda: self.n_chunks > n_before or not self.is_alive(), "it delivers still or has ended", 60)
        return n_before

    def end(self) -> None:
        """Hang up."""
        self._is_over = True
        self.join(60)

    def run(self) -> None:
        """Read."""
        try:
            with self._server.admin() as client:
                options = {"max_tokens": 8000, "logit_bias": {"0": -100, "2": -100}, "temperature": 1.0}
                for _chunk in client.stream("Tell a story that never ends.", model=SPEC.id, **options):
                    self.n_chunks += 1
                    if self._is_over:
                        return
            raise AssertionError("the stream ended by itself")
        except (AssertionError, NeuroForgeError) as error:
            self.error = error
