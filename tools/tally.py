"""Add up test results (JUnit XML): name what failed, close with the counts; fail if any did, or nothing ran."""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def main(names: list[str]) -> int:
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    missing = [name for name in names if not Path(name).is_file()]
    for name in names:
        if name in missing:
            continue
        for case in ET.parse(name).iter("testcase"):
            outcome = "passed"
            if case.find("failure") is not None or case.find("error") is not None:
                outcome = "failed"
                print(f"FAILED {name}: {case.get('classname')}::{case.get('name')}")
            elif case.find("skipped") is not None:
                outcome = "skipped"
            counts[outcome] += 1
    for name in missing:
        print(f"FAILED {name}: no results were written")
        counts["failed"] += 1
    print(", ".join(f"{n} {outcome}" for outcome, n in counts.items()))
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
