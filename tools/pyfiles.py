"""List the files of the Python package, relative to the source directory given."""

import sys
from pathlib import Path

SUFFIXES = {".py", ".pyi", ".typed", ".html"}

top = Path(sys.argv[1])
for path in sorted(top.rglob("*")):
    if path.suffix in SUFFIXES and path.is_file():
        print(path.relative_to(top))
