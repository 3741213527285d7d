"""A filter of system calls: no sockets but local ones, no new namespaces, nothing that reaches into other processes."""

import ctypes
import errno
import os
import socket
import struct

from neuroforge.scoring.jail.calls import check, libc

_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_SOCKET = {"x86_64": 41, "aarch64": 198}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEW*, all of them."""
_DENIED_EVERYWHERE = (
    *(425, 426, 427),  # io_uring: opens sockets behind the filter's back
    *(428, 429, 430, 431, 432, 433, 442),  # the new mount calls
    *(434, 438),  # pidfd_open, pidfd_getfd
    440,  # process_madvise
)
_DENIED = {
    # unshare setns mount umount2 pivot_root chroot ptrace process_vm_* bpf keyring perf userfaultfd open_by_handle_at
    "x86_64": (272, 308, 165, 166, 155, 161, 101, 310, 311, 321, 250, 248, 249, 298, 323, 304),
    "aarch64": (97, 268, 40, 39, 41, 51, 117, 270, 271, 280, 219, 217, 218, 241, 282, 265),
}
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


def is_supported(machine: str) -> bool:
    """Whether the numbers of that machine's calls are known here."""
    return machine in _ARCHITECTURE


def install_filter() -> None:
    """Filter this process and all that it starts; no_new_privs must be set.

    Raises:
        OSError: The kernel has no seccomp filters, or the machine's calls are not known.
    """
    machine = os.uname().machine
    if not is_supported(machine):
        raise OSError(errno.ENOSYS, f"no system call filter for {machine}")
    program = b"".join(build_filter(machine))
    code = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    whole = Program(len(program) // 8, ctypes.cast(code, ctypes.c_void_p))
    check(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(whole), 0, 0), "prctl SECCOMP")


def build_filter(machine: str) -> list[bytes]:
    """Return the BPF instructions, 8 bytes each."""
    refuse = _ERRNO | errno.EPERM
    steps = [
        _step(_LOAD, _ARCHITECTURE_AT),
        _step(_JUMP_EQUAL, _ARCHITECTURE[machine], 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER_AT),
    ]
    if machine == "x86_64":
        steps += [_step(_JUMP_AT_LEAST, _X32_BIT, 0, 1), _step(_RETURN, refuse)]
    for number in (*_DENIED[machine], *_DENIED_EVERYWHERE):
        steps += [_step(_JUMP_EQUAL, number, 0, 1), _step(_RETURN, refuse)]
    # Its flags lie in memory, which a filter cannot read; the C library falls back to clone.
    steps += [_step(_JUMP_EQUAL, _CLONE3, 0, 1), _step(_RETURN, _ERRNO | errno.ENOSYS)]
    steps += [
        _step(_JUMP_EQUAL, _CLONE[machine], 0, 4),
        _step(_LOAD, _FIRST_ARGUMENT_AT),
        _step(_JUMP_ANY_BIT, _NEW_NAMESPACES, 0, 1),
        _step(_RETURN, refuse),
        _step(_RETURN, _ALLOW),
    ]
    steps += [
        _step(_JUMP_EQUAL, _SOCKET[machine], 0, 3),
        _step(_LOAD, _FIRST_ARGUMENT_AT),
        _step(_JUMP_EQUAL, socket.AF_UNIX, 1, 0),
        _step(_RETURN, refuse),
    ]
    return [*steps, _step(_RETURN, _ALLOW)]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One `sock_filter`."""
    return struct.pack("=HBBI", code, if_true, if_false, value)
