"""bench/readme.py JSON…: print the figures of the README, from what `--json` of calls.py and accuracy.py wrote.

Files of one interpreter are put together; the interpreters stand in the order in which they come first.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def together(paths: list[str]) -> list[dict]:
    by_version: dict[str, dict] = {}
    for path in paths:
        for result in json.loads(Path(path).read_text()):
            by_version.setdefault(result["version"], {}).update(result)
    return list(by_version.values())


def ns(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def events(results: list[dict]) -> str:
    lines = [
        "| Python | event | assay | cProfile | yappi, wall | cProfile / assay | at best | goal |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for result in results:
        for row in result.get("events", []):
            ours, theirs = row["assay_ns"], row["cprofile_ns"]
            best = row["cprofile_best_ns"] / row["assay_best_ns"]
            lines.append(
                f"| {result['version']} | {row['row']} | {ns(ours)} | {ns(theirs)} | {ns(row['yappi_ns'])} "
                f"| {theirs / ours:.2f} | {best:.2f} | {1 / row['goal']:.1f} |"
            )
    return "\n".join(lines)


def programs(results: list[dict]) -> str:
    measured = [result for result in results if "programs" in result]
    lines = [
        "| program | " + " | ".join(result["version"] for result in measured) + " |",
        "|---|" + "---:|" * len(measured),
    ]
    for rows in zip(*(result["programs"] for result in measured), strict=True):
        cells = [f"{row['assay']:.2f} / {row['cprofile']:.2f}" for row in rows]
        lines.append(f"| {rows[0]['program']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def rest(results: list[dict]) -> str:
    def each(key: str, text: str) -> str:
        return ", ".join(f"{r['start'][key]:.{text}} ms ({r['version']})" for r in results if "start" in r)

    def worst(result: dict, side: str) -> float:
        rows = [row for row in result["shares"] if row[side] is not None]
        return max(abs(row[side] - row["true"]) for row in rows)

    lines = ["| | measured |", "|---|---|"]
    lines.append(f"| `assay run -c pass`, more than `python -c pass` | {each('added_ms', '1f')} |")
    lines.append(f"| `import assay` | {each('import_ms', '2f')} |")
    for r in (result["nodes"] for result in results if "nodes" in result):
        lines.append(
            f"| a recording of {r['nodes']:,} nodes: written, reported | {r['write_s']:.2f} s, {r['report_s']:.2f} s |"
        )
    for result in results:
        if "shares" in result:
            lines.append(
                f"| shares reported by `bench/accuracy.py` on {result['version']}, off the known ones by at most "
                f"| {worst(result, 'assay'):.1f} points; cProfile's {worst(result, 'cprofile'):.1f} |"
            )
    return "\n".join(lines)


def main() -> int:
    results = together(sys.argv[1:])
    print(
        "Time that measuring adds to an event, ns (only: `--no-c-calls`, and cProfile with `builtins=False`):\n\n"
        + events(results)
        + "\n\nWhole programs of pyperformance, times as long as plain, assay / cProfile:\n\n"
        + programs(results)
        + "\n\nThe rest:\n\n"
        + rest(results)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
