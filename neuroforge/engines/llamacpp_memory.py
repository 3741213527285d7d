"""Memory of this process: how much it holds, and giving back what was freed."""

import ctypes
import platform

import psutil


def resident_bytes() -> int:
    """Bytes of this process that are in physical memory."""
    return int(psutil.Process().memory_info().rss)


def return_free_memory() -> bool:
    """Make the C library return freed pages to the system; False where it knows no such call (anything but glibc).

    Freed weights go back by themselves; without this about a tenth of what a model took stays with the process.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    return bool(ctypes.CDLL("libc.so.6").malloc_trim(0))
