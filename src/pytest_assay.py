"""pytest --assay[=FILE]: a recording of the test run, with the tests as its tags.

pytest imports this module in every run. Without the option it defines it and does nothing else; assay is not imported.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def pytest_addoption(parser: Any) -> None:
    parser.getgroup("assay", "where the time of the tests goes").addoption(
        "--assay",
        nargs="?",
        const="pytest.assay",
        metavar="FILE",
        help="count and time every call, and leave a recording for `assay report`; otherwise pytest.assay here",
    )


def pytest_configure(config: Any) -> None:
    if config.getoption("--assay") is not None:
        from assay._pytest import register

        register(config)
