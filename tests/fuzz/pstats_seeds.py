"""What the corpus of pstats files begins with: python pstats_seeds.py DIRECTORY, with each Python that is supported."""

from __future__ import annotations

import cProfile
import marshal
import pstats
import sys
from pathlib import Path
from typing import Any

PROGRAM = """
def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def even(n: int) -> bool:
    return n == 0 or odd(n - 1)


def odd(n: int) -> bool:
    return n != 0 and even(n - 1)


def größe(texts: list[str]) -> int:
    return sum(map(len, texts)) + len(sorted(texts))


def main() -> None:
    fib(6)
    even(4)
    größe(["a", "b"])
    texts: list[str] = []
    texts.append("c")
"""


def write(directory: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    names: dict[str, Any] = {}
    exec(compile(PROGRAM, "/srv/app.py", "exec"), names)
    exact = cProfile.Profile()
    exact.runcall(names["main"])
    exact.dump_stats(directory / f"seed-{version}.prof")
    stats = pstats.Stats(exact)
    stats.add(pstats.Stats(exact)).strip_dirs().dump_stats(directory / f"seed-{version}-added.prof")
    if version == "3.12":
        import profile

        slow = profile.Profile()
        slow.runcall(names["main"])
        slow.dump_stats(directory / "seed-profile.prof")
        (directory / "seed-old.prof").write_bytes(marshal.dumps(stats.stats, 2))
        (directory / "seed-empty.prof").write_bytes(marshal.dumps({}))
        (directory / "seed-sampled.prof").write_bytes(marshal.dumps({("__sampled__",): True}))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
