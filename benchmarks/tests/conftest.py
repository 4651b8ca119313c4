"""One thread per test process, of BLAS and of OpenMP."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield
