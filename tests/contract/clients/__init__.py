"""What popular clients really send: `recorder.py` writes it down, one driver a client makes the calls.

Each driver runs in a throw-away environment of its own (its first lines name the packages); the recorder needs only the
standard library. The results are `tests/contract/data/client_bodies/*.json`, replayed by `test_client_bodies.py`.
"""
