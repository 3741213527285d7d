"""reply -> what it answers -> compare with the reference -> Score.

One scorer a file, pure functions; `code` runs the reply's program in a sandbox. `pipeline.score_reply` picks by the
item's `scorer`. A reply without an answer in it is wrong (0); an item that cannot be judged is not scored (None).
"""
