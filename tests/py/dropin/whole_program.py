"""Statistics of words, with what such a program uses: files, parsing, classes, formatting, logging."""

import argparse
import collections
import contextlib
import csv
import io
import logging
import os
import string
import sys
import tempfile

LINES = ["the quick brown fox", "jumps over the lazy dog", "the end"]


class Table:
    def __init__(self, words):
        self.counts = collections.Counter(words)

    def rows(self):
        for word, count in sorted(self.counts.items(), key=lambda item: (-item[1], item[0])):
            yield word, count, self.share(count)

    def share(self, count):
        return count / sum(self.counts.values())


@contextlib.contextmanager
def scratch():
    handle, name = tempfile.mkstemp()
    os.close(handle)
    try:
        yield name
    finally:
        os.remove(name)


def words(path):
    with open(path) as lines:
        for line in lines:
            for word in line.split():
                yield word.strip(string.punctuation).lower()


def main(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--top", type=int, default=3)
    options = parser.parse_args(argv)
    log = logging.getLogger("words")
    log.addHandler(logging.StreamHandler(io.StringIO()))
    with scratch() as name:
        with open(name, "w") as out:
            out.write("\n".join(LINES))
        table = Table(words(name))
    out = io.StringIO()
    writer = csv.writer(out)
    for row in list(table.rows())[: options.top]:
        writer.writerow(row)
        log.warning("%s: %d of %.3f", *row)
    sys.stdout.write(out.getvalue())


main(["--top", "2"])
