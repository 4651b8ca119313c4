"""One BLAS thread per test process: pytest-xdist already keeps every core busy."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread():
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


collect_ignore_glob = ["data/*", "tools/*"]  # scripts that are run by hand
