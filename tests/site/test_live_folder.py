"""The Flow Bench's folder is put together: downloads are checked, and the server's types are right.

That the page works in a browser is tested in tests/site/browser.
"""

import importlib
import io
import json
import re
import tarfile
import threading
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest
from support.places import ROOT

DOCS = ROOT / "docs"


@pytest.fixture
def live(monkeypatch, tmp_path):
    """docs/builder/live.py with an empty cache, and no wheel to build."""
    monkeypatch.syspath_prepend(str(DOCS))
    module = importlib.import_module("builder.live")
    own = tmp_path / "flowcore-0.5-0abc-py3-none-any.whl"
    own.write_bytes(b"own")
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(module, "own_wheel", lambda: own)
    return module


def pinned(live, content, file="a.whl"):
    """A file of a registry that has this content, as it is known here."""
    path = live.CACHE.parent / file
    path.write_bytes(content)
    return live.Pinned(file, live.sha256(path), ("npm", "pack", file, "--to"))


def brings(content):
    """A registry: what it brings, and how often it was asked."""
    asked = []

    def run(*command, what, otherwise):
        asked.append(what)
        Path(command[-1], what).write_bytes(content)

    return run, asked


# ---------------------------------------------------------------- downloads


def test_a_download_is_kept_and_checked_every_time(live, monkeypatch):
    thing = pinned(live, b"right")
    run, asked = brings(b"right")
    monkeypatch.setattr(live, "run", run)
    for _ in range(2):
        assert live.fetched(thing).read_bytes() == b"right"
    assert asked == ["a.whl"]
    (live.CACHE / "a.whl").write_bytes(b"damaged")
    assert live.fetched(thing).read_bytes() == b"right"
    assert asked == ["a.whl", "a.whl"]
    assert [path.name for path in live.CACHE.iterdir()] == ["a.whl"]


def test_another_file_than_the_pinned_one_is_not_taken(live, monkeypatch):
    thing = pinned(live, b"right")
    monkeypatch.setattr(live, "run", brings(b"wrong")[0])
    with pytest.raises(live.Problem, match=rf"^a\.whl has .*{thing.sha256}; .*live\.py$"):
        live.fetched(thing)
    assert list(live.CACHE.iterdir()) == []
    monkeypatch.setattr(live, "run", lambda *command, what, otherwise: None)
    with pytest.raises(live.Problem, match=r"^a\.whl is not there"):
        live.fetched(thing)


def test_every_pinned_file_is_named_in_its_command(live):
    for thing in (live.PYODIDE, live.AUTOGRAD):
        name, version = re.match(r"(\w+)-([\d.]*\d)", thing.file).groups()
        assert any(re.fullmatch(f"{name}(@|==){version}", word) for word in thing.command)
        assert re.fullmatch("[0-9a-f]{64}", thing.sha256)


# ---------------------------------------------------------------- the folder


@pytest.fixture
def with_autograd(live, monkeypatch):
    """`live`, to which autograd is the file that is brought; it is all there is to bring."""
    run, _ = brings(b"autograd")
    monkeypatch.setattr(live, "AUTOGRAD", pinned(live, b"autograd", "autograd-1-py3-none-any.whl"))
    monkeypatch.setattr(live, "run", run)
    return live


def names(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_a_published_page_takes_pyodide_from_a_url(with_autograd, tmp_path):
    page = tmp_path / "site" / "live"
    assert with_autograd.main([str(page), "--pyodide", "https://x.y/full"]) is None
    settings = json.loads((page / "settings.json").read_text(encoding="utf-8"))
    assert settings.keys() == {"pyodide", "wheels", "version"}
    assert (settings["pyodide"], settings["version"]) == ("https://x.y/full/", "0.5")
    own, autograd = "flowcore-0.5-0abc-py3-none-any.whl", "autograd-1-py3-none-any.whl"
    assert {f"./wheels/{own}", f"./wheels/{autograd}"} < set(settings["wheels"])
    here = names(page)
    assert here >= {wheel.removeprefix("./") for wheel in settings["wheels"]}
    assert not [name for name in here if "pyodide" in name or name.endswith((".md", ".py"))]
    assert {path.name for path in with_autograd.LIVE.glob("*.js")} <= here
    assert names(tmp_path / "site") == {f"live/{name}" for name in here}  # nothing is left behind


def test_the_python_of_the_page_is_one_package(with_autograd, tmp_path):
    wheels = [
        (tmp_path / page / wheel).read_bytes()
        for page in ("a", "b")
        for wheel in with_autograd.assemble(tmp_path / page, "u")["wheels"]
        if "flow_bench-" in wheel
    ]
    assert len(wheels) == 2 and wheels[0] == wheels[1]
    with zipfile.ZipFile(io.BytesIO(wheels[0])) as packed:
        assert "flow_bench/__init__.py" in packed.namelist()
        assert {entry.date_time[0] for entry in packed.infolist()} == {1980}


def test_only_an_earlier_page_is_replaced(with_autograd, tmp_path):
    page = tmp_path / "page"
    page.mkdir()
    with_autograd.assemble(page, "u")
    (page / "old.js").touch()
    with_autograd.assemble(page, "u")
    assert "old.js" not in names(page)
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").touch()
    said = with_autograd.main([str(other), "--pyodide", "u"])
    assert said == f"live.py: {other} has other files, which would be lost: name a new folder"
    assert names(other) == {"mine.txt"}
    assert "Not a directory" in with_autograd.main([str(other / "mine.txt")])


def packed_pyodide(live, numpy):
    """A package like Pyodide's, whose list has this entry for NumPy."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as packed:
        for name in live.OF_PYODIDE:
            text = json.dumps({"packages": {"numpy": numpy}}).encode()
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text)
            packed.addfile(member, io.BytesIO(text))
    return pinned(live, content.getvalue(), "pyodide-1.tgz"), content.getvalue()


def test_pyodide_and_numpy_stand_in_one_folder(with_autograd, tmp_path, monkeypatch):
    live = with_autograd
    (wheel,) = (live.LIVE / "wheels").glob("numpy-*.whl")
    for file_name, sha256, fault in [
        (wheel.name, live.sha256(wheel), None),
        (wheel.name, "0" * 64, f"{wheel.name} has the sha256 "),
        ("numpy-9.whl", "0" * 64, "numpy-9.whl is not there"),
    ]:
        thing, content = packed_pyodide(live, {"file_name": file_name, "sha256": sha256})
        monkeypatch.setattr(live, "PYODIDE", thing)
        both = {thing.file: content, live.AUTOGRAD.file: b"autograd"}
        monkeypatch.setattr(
            live, "run", lambda *c, what, both=both, **_: Path(c[-1], what).write_bytes(both[what])
        )
        page = tmp_path / "page"
        if fault is None:
            assert live.assemble(page)["pyodide"] == "./pyodide-1/"
            assert {p.name for p in (page / "pyodide-1").iterdir()} == {
                *live.OF_PYODIDE,
                wheel.name,
            }
        else:
            before = names(page)
            assert live.main([str(page)]).startswith(f"live.py: {fault}")
            assert names(page) == before  # the page that was there is whole


# ---------------------------------------------------------------- the server


def test_types_that_browsers_insist_on(live, tmp_path, capsys):
    kinds = {
        "a.js": "text/javascript",
        "a.mjs": "text/javascript",
        "a.wasm": "application/wasm",
        "a.whl": "application/zip",
        "a.json": "application/json",
        "a.html": "text/html",
        "a.css": "text/css",
    }
    for name in kinds:
        (tmp_path / name).write_text(name)
    with live.Server(tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            for name, kind in kinds.items():
                with urllib.request.urlopen(server.url + name) as reply:
                    assert reply.headers["Content-Type"] == kind
                    assert reply.headers["Cache-Control"] == "no-cache"
                    assert reply.read() == name.encode()
            assert capsys.readouterr().err == ""
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(server.url + "gone.js")
            refused.value.close()
            assert refused.value.code == 404
            with pytest.raises(
                live.Problem, match=rf"^port {server.server_port}: .*: --serve \d+$"
            ):
                live._server(tmp_path, server.server_port)
        finally:
            server.shutdown()
            thread.join()
    assert "404" in capsys.readouterr().err
