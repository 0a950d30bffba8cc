#!/usr/bin/env python3
"""Runs the unittest files `*_test.py` of one folder and ends with "N passed, N failed, N skipped".

Usage: run_unittests.py FOLDER [NAME...]   (NAME: only tests whose id contains one of these)"""

import pathlib
import sys
import unittest


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(folder))
    tests = list(flatten(unittest.defaultTestLoader.discover(str(folder), "*_test.py", str(folder))))
    if len(sys.argv) > 2:
        tests = [test for test in tests if any(name in test.id() for name in sys.argv[2:])]
    result = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(tests))
    for test, reason in result.skipped:
        print(f"skipped: {test}: {reason}")
    # A failure in setUpClass is one error for tests that never ran; a subtest is not a test of its own.
    bad = {str(getattr(test, "test_case", test)) for test, _ in result.failures + result.errors}
    failed, skipped = len(bad) + len(result.unexpectedSuccesses), len(result.skipped)
    passed = max(0, result.testsRun - failed - skipped)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
