"""List each C file of a compilation database once, relative to the working directory."""

import json
import os
import sys

with open(sys.argv[1], encoding="utf-8") as database:
    commands = json.load(database)
for path in sorted({os.path.relpath(os.path.join(c["directory"], c["file"])) for c in commands}):
    print(path)
