"""Run one module of CPython's own tests and write the outcome of each test as it ends.

    collect.py MODULE OUT [TEST-ID …]

OUT gets a line for each test, `outcome<TAB>id`, and `end` when the module was run to its end, so that a crash
loses nothing but the tests after it. With test ids, only those are run. Run as the script of a plain interpreter
or of `assay run`.
"""

import importlib.util
import sys
import threading
import unittest

NO_RESOURCES: list[str] = []  # no network, no large files, nothing that takes minutes


class Outcomes(unittest.TestResult):
    """Writes outcomes by path: tests fork, close descriptors and change the directory."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.lock = threading.Lock()
        self.outcome = None

    def write(self, line):
        with self.lock, open(self.path, "a", encoding="utf-8", errors="backslashreplace") as out:
            out.write(line.replace("\n", " ") + "\n")

    def note(self, test, outcome):
        if self.outcome is None:  # not between startTest and stopTest: a class or module that could not be set up
            self.write(f"{outcome}\t{test.id()}")
        elif self.outcome == "passed":
            self.outcome = outcome

    def startTest(self, test):
        super().startTest(test)
        self.write(f"started\t{test.id()}")
        self.outcome = "passed"

    def stopTest(self, test):
        super().stopTest(test)
        self.write(f"{self.outcome}\t{test.id()}")
        self.outcome = None

    def addError(self, test, err):
        self.explain(err)
        self.note(test, "error")

    def addFailure(self, test, err):
        self.explain(err)
        self.note(test, "failed")

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.explain(err)
            self.note(test, "failed" if issubclass(err[0], test.failureException) else "error")

    def addSkip(self, test, reason):
        self.note(test, "skipped")

    def addExpectedFailure(self, test, err):
        self.note(test, "failed as expected")

    def addUnexpectedSuccess(self, test):
        self.note(test, "passed unexpectedly")

    def explain(self, err):
        import traceback

        traceback.print_exception(*err)


def tests_in(suite):
    """All test cases, in their order."""
    waiting = [suite]
    while waiting:
        item = waiting.pop()
        if isinstance(item, unittest.TestCase):
            yield item
        else:
            waiting.extend(reversed(list(item)))


def main():
    module, path, wanted = "test." + sys.argv[1], sys.argv[2], set(sys.argv[3:])
    outcomes = Outcomes(path)
    try:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(module)
    except ModuleNotFoundError:
        outcomes.write("absent")
        return
    from test import support

    support.use_resources = NO_RESOURCES
    try:
        suite = unittest.defaultTestLoader.loadTestsFromName(module)
    except unittest.SkipTest:
        outcomes.write(f"skipped\t{module}")
        outcomes.write("end")
        return
    if wanted:
        suite = unittest.TestSuite(test for test in tests_in(suite) if test.id() in wanted)
    suite.run(outcomes)
    outcomes.write("end")


if __name__ == "__main__":
    main()
