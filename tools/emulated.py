"""Write the shell commands that an emulated machine runs: every C test of a build, then a profile of an example."""

import json
import shlex
import sys
from pathlib import Path

CHECK = """\
if {command}; then echo "ok {name}"; else echo "FAILED {name}"; fi"""


def commands(build: Path) -> list[str]:
    tests = json.loads((build / "meson-info" / "intro-tests.json").read_text())
    found = []
    for test in tests:
        env = [f"{name}={value}" for name, value in test["env"].items()]
        command = f"{shlex.join(['env', *env, *test['cmd']])} >/tmp/log 2>&1"
        found.append(CHECK.format(command=command, name=test["name"]))
        found.append("grep -E '^\\[  (ERROR|FAILED|   LINE)' /tmp/log")
    if (build / "native" / "cli" / "assay").is_file():
        run = f"ASSAY_LIBDIR={build}/stage/assay {build}/native/cli/assay run"
        run += " -o /tmp/x.assay --python /usr/bin/python3.11"
        found.append(CHECK.format(command=f"{run} examples/first_profile.py", name="assay run on aarch64"))
    return found


if __name__ == "__main__":
    print("\n".join(commands(Path(sys.argv[1]).resolve())))
