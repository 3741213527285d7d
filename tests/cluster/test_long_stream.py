"""Loading and unloading one model does not cut another's stream of 150 s.

150 s, because Ray's HAProxy cuts a stream 120 s after a change of replicas unless it is told otherwise
(docs/decisions/002). The tests of test_lifecycle.py, and of the files between, run while it streams: they load and
unload too.
"""

from tests.cluster.conftest import STARTED_WITH, keep_only
from tests.cluster.fleet import load, small, unload
from tests.cluster.long_stream import LongStream
from tests.server import RunningServer

STREAM_S = 150.0


def test_a_stream_of_150_s_survives_the_loading_and_unloading_of_other_models(
    gateway: RunningServer, long_stream: LongStream
) -> None:
    other = small("long-stream-neighbour")
    with gateway.admin() as client:
        for _ in range(2):
            load(client, other)
            unload(client, other.id)
    n_before = long_stream.wait_for_more(after_s=STREAM_S)
    assert long_stream.error is None
    assert long_stream.n_chunks > n_before, "the stream still delivers after 150 s"
    long_stream.end()
    assert long_stream.error is None
    keep_only(gateway, STARTED_WITH)
