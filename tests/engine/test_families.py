"""The helper of all families: no case hides another one."""

import os

import pytest
from support.families import over

CASES = [("maf-a", "x"), ("maf-b", "x"), ("maf-c", "y"), ("iaf.b", "x")]


def test_every_case_that_fails_is_named_and_pytest_fail_counts():
    @over(CASES)
    def run(name, way):
        assert name != "maf-a", "the first"
        if name == "maf-c":
            pytest.fail("the third")

    with pytest.raises(AssertionError) as found:
        run("maf")
    assert "maf-a x: AssertionError: the first" in str(found.value)
    assert "maf-c y: Failed: the third" in str(found.value) and "maf-b" not in str(found.value)
    run("iaf")


def test_a_case_that_skips_skips_itself_alone():
    @over(CASES)
    def run(name, way):
        if name != "maf-b":
            pytest.skip("not here")
        raise KeyError("behind a skip")

    with pytest.raises(AssertionError, match="maf-b x: KeyError: 'behind a skip'"):
        run("maf")
    with pytest.raises(pytest.skip.Exception, match=r"iaf\.b x: not here"):
        run("iaf")


def test_each_case_has_a_folder_and_patches_of_its_own(tmp_path, monkeypatch):
    @over(CASES)
    def run(name, way, tmp_path, monkeypatch):
        assert not list(tmp_path.iterdir()) and "OF_A_CASE" not in os.environ
        (tmp_path / "file").touch()
        monkeypatch.setenv("OF_A_CASE", name)

    run("maf", tmp_path=tmp_path, monkeypatch=monkeypatch)
    assert "OF_A_CASE" not in os.environ


@over([("maf-a", 1), ("maf-b", 2), ("iaf", 3)])
def test_a_family_is_one_test(name, value, request):
    assert request.node.name in ("test_a_family_is_one_test[maf]", "test_a_family_is_one_test[iaf]")
    assert value == {"maf-a": 1, "maf-b": 2, "iaf": 3}[name]
