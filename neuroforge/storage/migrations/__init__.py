"""Schema changes in order, run by `neuroforge.storage.migrate` whenever a database is opened.

A new change is a new file `versions/NNNN_what.py`: `revision`, `down_revision` (of the file before it), `upgrade()`.
Files that were released never change. There is no way down: an older version refuses a newer database.
"""
