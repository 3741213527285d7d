"""Loading and unloading one model does not cut another's stream of 150 s."""

import threading
import time

from neuroforge.contracts.models import ModelSpec
from neuroforge.errors import NeuroForgeError
from tests.cluster.fleet import load, small, unload
from tests.server import RunningServer

STREAM_S = 150.0
MODEL = "long-stream"


def test_a_stream_of_150_s_survives_the_loading_and_unloading_of_another_model(gateway: RunningServer) -> None:
    with gateway.admin() as client:
        load(client, small(MODEL, context_length=8192, parallel=1))
        seen = _Stream(gateway)
        seen.start()
        seen.has_begun.wait(60)
        n_cycles = 0
        while time.monotonic() - seen.started_s < STREAM_S:
            load(client, _other())
            unload(client, _other().id)
            n_cycles += 1
        n_before = seen.n_chunks
        assert seen.error is None
        assert n_cycles >= 2
        while seen.n_chunks == n_before and seen.is_alive():
            time.sleep(0.05)  # polling the other thread's counter
        assert seen.n_chunks > n_before, "the stream still delivers after 150 s"
        seen.stop = True
        seen.join(30)
        assert seen.error is None
        unload(client, MODEL)


def _other() -> ModelSpec:
    return small("long-stream-neighbour")


class _Stream(threading.Thread):
    """Reads tokens until told to stop; the end-of-text token is forbidden so that the model goes on."""

    def __init__(self, server: RunningServer) -> None:
        super().__init__(daemon=True)
        self._server = server
        self.started_s = time.monotonic()
        self.has_begun = threading.Event()
        self.n_chunks = 0
        self.error: BaseException | None = None
        self.stop = False

    def run(self) -> None:
        try:
            with self._server.admin() as client:
                options = {"max_tokens": 8000, "logit_bias": {"0": -100, "2": -100}, "temperature": 1.0}
                for _chunk in client.stream("Tell a story that never ends.", model=MODEL, **options):
                    self.n_chunks += 1
                    self.has_begun.set()
                    if self.stop:
                        return
            raise AssertionError("the stream ended by itself")
        except (AssertionError, NeuroForgeError) as error:
            self.error = error
