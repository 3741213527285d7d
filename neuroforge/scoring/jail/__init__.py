"""limits -> namespaces -> a read-only view without network -> no privileges -> the program.

Runs as a process of its own, `python -I -S`, with the standard library only; `neuroforge.scoring.sandbox` starts it.
Four processes: the launcher in its new user, mount, network, IPC and host-name namespaces; the first process of a new
PID namespace, whose end ends all that the program started; the program itself; and, briefly, one left outside that
writes the launcher's user map.
"""
