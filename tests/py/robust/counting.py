"""Counts its own calls in a file, in several threads, until it is killed or its time is over.

    counting.py FILE THREADS SECONDS

FILE has 8-byte words: the pid, then for each thread how many turns it has finished. A turn is one call of
`turn`, which calls `leaf` and `abs` once; the word is stored by an operator, which has no event.
"""

import mmap
import os
import sys
import threading
import time


def leaf():
    pass


def turn():
    leaf()
    abs(-1)


def count(words, n, end):
    done = 0
    while True:
        turn()
        done += 1
        words[n] = done
        if done % 256 == 0 and time.monotonic() > end:
            return


def main():
    path, threads, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    with open(path, "r+b") as file:
        words = memoryview(mmap.mmap(file.fileno(), 8 * (threads + 1))).cast("Q")
    words[0] = os.getpid()
    end = time.monotonic() + seconds
    others = [threading.Thread(target=count, args=(words, n, end)) for n in range(2, threads + 1)]
    for other in others:
        other.start()
    count(words, 1, end)
    for other in others:
        other.join()


main()
