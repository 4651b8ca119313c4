"""How many threads are worth having: affinity, quota, environment, argument."""

import os
import subprocess
import sys

import pytest

from flowcore.core import cores

V2 = "0::/box/inner\n"
V1 = "3:cpuset:/\n2:cpuacct,cpu:/box\n1:memory:/\n"
QUOTA, PERIOD = "cpu/box/cpu.cfs_quota_us", "cpu/box/cpu.cfs_period_us"


@pytest.fixture
def machine(tmp_path):
    """Writes the files of control groups; returns the quotas that are read from them."""

    def quotas(groups: str, files: dict[str, str]):
        (tmp_path / "cgroup").write_text(groups)
        for name, text in files.items():
            path = tmp_path / "mount" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return cores.quotas(tmp_path / "mount", tmp_path / "cgroup")

    return quotas


@pytest.mark.parametrize(
    "groups, files, found",
    [
        (V2, {"cpu.max": "150000 100000\n"}, [1.5]),
        (V2, {"box/inner/cpu.max": "max 100000\n", "box/cpu.max": "400000 100000\n"}, [4.0]),
        (V2, {"box/inner/cpu.max": "50000 100000\n", "cpu.max": "200000 100000"}, [0.5, 2.0]),
        (V2, {"box/inner/cpu.max": "", "box/cpu.max": "what 1 2", "cpu.max": "1 0"}, [1.0]),
        (
            V1,
            {QUOTA: "300000\n", PERIOD: "100000\n"},
            [3],
        ),
        (V1, {QUOTA: "-1\n", PERIOD: "100000\n"}, []),
        (V1, {f"cpuacct,{name}": t for name, t in {QUOTA: "9", PERIOD: "3"}.items()}, [3.0]),
        (V1, {"cpu/cpu.cfs_quota_us": "20000\n", "cpu/cpu.cfs_period_us": "10000\n"}, [2.0]),
        ("", {"cpu.max": "100000 100000"}, []),
        ("nonsense\n\n:\n", {}, []),
    ],
)
def test_the_quotas_of_control_groups(machine, groups, files, found):
    assert machine(groups, files) == found


def test_without_such_files_there_is_no_quota(tmp_path):
    assert cores.quotas(tmp_path, tmp_path / "none") == []


@pytest.mark.parametrize("quota, expected", [(0.3, 1), (1.9, 1), (2.0, 2), (99.0, 16)])
def test_no_more_cores_than_the_quota_grants(monkeypatch, quota, expected):
    monkeypatch.setattr(cores, "_quota", lambda: quota)
    monkeypatch.setattr(os, "process_cpu_count", lambda: 16, raising=False)
    assert cores.n_cores() == expected


@pytest.mark.parametrize("known, expected", [(None, 1), (3, 3)])
def test_where_the_system_reports_nothing(monkeypatch, known, expected):
    monkeypatch.setattr(cores, "_quota", lambda: 2.0**31)
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: known)
    assert cores.n_cores() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs an affinity")
def test_a_pinned_process_has_one_core():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from flowcore.core import n_threads; print(n_threads())"
    )
    env = {name: v for name, v in os.environ.items() if name != cores.ENVIRONMENT}
    found = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert found.stdout.strip() == "1", found.stderr
