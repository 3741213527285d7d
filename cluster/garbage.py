"""What a process that answers in milliseconds does about the garbage collector."""

import gc


def spare_garbage_collection() -> None:
    """Take all that lives now out of the collector's sight, and let it look less often.

    The imported libraries are most of the objects in the process and stay for ever, but each full collection would walk
    them, between two requests. Memory that requests leave behind is still collected.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
