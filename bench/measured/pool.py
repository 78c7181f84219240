"""Small tasks, a millisecond each: in a pool of 16 children, or one after the other in this process.

pool.py one|fork|spawn TASKS
"""

import json
import multiprocessing
import sys


def task(number: int) -> int:
    text = json.dumps({str(key): [key] * 20 for key in range(200)})
    return sum(map(len, json.loads(text).values())) + number


def main(method: str, tasks: int) -> int:
    if method == "one":
        return sum(map(task, range(tasks)))
    with multiprocessing.get_context(method).Pool(16) as pool:
        return sum(pool.imap_unordered(task, range(tasks), 16))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
