"""Say, as JSON on stdout, what a program can see of the process that it runs in."""

import json
import os
import resource
import signal
import sys
import threading

import __main__


def status_lines() -> dict[str, str]:
    wanted = {"SigBlk", "SigIgn", "SigCgt", "Umask", "CoreDumping", "NoNewPrivs", "Threads", "Groups"}
    with open("/proc/self/status") as f:
        rows = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    return {k: v for k, v in rows.items() if k in wanted}


def dispositions() -> dict[str, str]:
    return {s.name: str(signal.getsignal(s)) for s in signal.valid_signals() if isinstance(s, signal.Signals)}


def main_attributes() -> dict[str, str]:
    return {k: repr(v) if isinstance(v, (str, type(None))) else type(v).__name__ for k, v in vars(__main__).items()}


def limits() -> dict[str, object]:
    return {k: resource.getrlimit(getattr(resource, k)) for k in dir(resource) if k.startswith("RLIMIT_")}


print(
    json.dumps(
        {
            "modules": sorted(sys.modules),
            "argv": sys.argv,
            "orig_argv": sys.orig_argv,
            "path": sys.path,
            "flags": str(sys.flags),
            "options": [sys.warnoptions, sys._xoptions],
            "executable": [sys.executable, sys.prefix, sys.base_prefix],
            "hooks": [str(sys.getprofile()), str(sys.gettrace()), len(sys.meta_path), len(sys.path_hooks)],
            "main": main_attributes(),
            "descriptors": sorted(os.listdir("/proc/self/fd"), key=int),
            "environ": list(os.environ.items()),
            "cwd": os.getcwd(),
            "status": status_lines(),
            "dispositions": dispositions(),
            "limits": limits(),
            "group": os.getpgrp() == os.getpgid(os.getppid()),
            "threads": threading.active_count(),
            "stdin": sys.stdin.read() if sys.stdin is not None and not sys.stdin.isatty() else None,
            "terminal": [os.isatty(fd) for fd in (0, 1, 2)],
        },
        indent=1,
    )
)
