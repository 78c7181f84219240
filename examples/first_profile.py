"""A first profile: where does the time of a small data job go, and is it spent running or waiting?

assay run examples/first_profile.py
"""

import random
import time

SECONDS_PER_ITEM = 8e-6  # what a slow disk or a remote service would take


def generate_data(n: int) -> list[int]:
    return [random.randint(0, 1_000_000) for _ in range(n)]


def process_data(data: list[int]) -> int:
    ordered = sorted(data)
    time.sleep(len(ordered) * SECONDS_PER_ITEM)  # a stand-in for blocking I/O
    return sum(ordered)


def main() -> None:
    random.seed(1)
    data = generate_data(100_000)
    print("total:", process_data(data))


if __name__ == "__main__":
    main()
