"""What the program sees: the interpreter and its libraries read-only, three devices, and a small /tmp of its own."""

import os
from collections.abc import Sequence
from pathlib import Path

from neuroforge.scoring.jail import calls
from neuroforge.scoring.jail.config import PROGRAM_NAME

_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_READ_ONLY = calls.MOUNT_ATTR_RDONLY | calls.MOUNT_ATTR_NOSUID | calls.MOUNT_ATTR_NODEV


def build_view(root: str, binds: Sequence[str], disk_bytes: int, program: bytes) -> None:
    """Mount the view on `root` and enter it; no /proc, no /sys, nobody's home. Needs a mount namespace of its own.

    Raises:
        OSError: The kernel or a security module does not allow it.
    """
    calls.mount("none", "/", None, calls.MS_REC | calls.MS_PRIVATE)
    calls.mount("none", root, "tmpfs", calls.MS_NOSUID | calls.MS_NODEV, "size=1m,mode=755")
    for path in binds:
        _show(path, root)
    for path in _DEVICES:
        _bind(path, root)
        attributes = calls.MOUNT_ATTR_RDONLY | calls.MOUNT_ATTR_NOSUID | calls.MOUNT_ATTR_NOEXEC
        calls.restrict_mount(root + path, attributes, recursive=False)
    work = Path(root, "tmp")
    work.mkdir()
    flags = calls.MS_NOSUID | calls.MS_NODEV | calls.MS_NOEXEC
    calls.mount("none", str(work), "tmpfs", flags, f"size={disk_bytes},nr_inodes=4096,mode=1777")
    (work / PROGRAM_NAME).write_bytes(program)
    (work / PROGRAM_NAME).chmod(0o444)
    calls.enter_root(root)
    calls.restrict_mount("/", calls.MOUNT_ATTR_RDONLY, recursive=False)


def _show(path: str, root: str) -> None:
    """A link stays a link (/lib -> usr/lib); what does not exist is left out."""
    target = Path(root + path)
    if not os.path.lexists(path) or os.path.lexists(target):
        return
    if Path(path).is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(Path(path).readlink())
        return
    _bind(path, root)
    calls.restrict_mount(str(target), _READ_ONLY, recursive=True)


def _bind(path: str, root: str) -> None:
    target = Path(root + path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if Path(path).is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    # Recursive: a mount that came from a more privileged namespace cannot be shown without those on it.
    calls.mount(path, str(target), None, calls.MS_BIND | calls.MS_REC)
