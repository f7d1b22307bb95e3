"""What a wheel holds, and which names a user can import from it.

The package index has packages named ``kernels`` and ``datasets``. A wheel that installed those
names would overwrite them on the machines of our users.
"""

import configparser
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {
    "minitrain": "minitrain",
    "kernels": "minitrain/kernels",
    "datasets": "minitrain/datasets",
}
MADE_BY_MACHINES = {".pyc", ".nbi", ".nbc"}


def build(tree, kind, out):
    """Ask setuptools itself, as pip does, but offline and with nothing isolated."""
    code = f"from setuptools import build_meta; print(build_meta.build_{kind}({str(out)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of what is built, so that no build/ or egg-info is left in the repository."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="module")
def wheel(tree, tmp_path_factory):
    return build(tree, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    target = tmp_path_factory.mktemp("site-packages")
    install = ["install", "--quiet", "--no-index", "--no-deps", "--target", target, wheel]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    return target


def names(wheel):
    return set(zipfile.ZipFile(wheel).namelist())


def expected_names():
    return {
        f"{home}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, home in FOLDERS.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix not in MADE_BY_MACHINES
    }


def test_top_level_of_the_wheel_is_minitrain_alone(wheel):
    top = {name.split("/")[0] for name in names(wheel)}
    assert {name for name in top if not name.endswith(".dist-info")} == {"minitrain"}


def test_wheel_holds_every_file_of_the_rooms_and_nothing_else(wheel):
    """Fails when a new package is not in setup.cfg's list, or a data file not in package_data."""
    found = {name for name in names(wheel) if ".dist-info/" not in name}
    assert found == expected_names()


def test_source_distribution_builds_the_same_wheel(tree, wheel, tmp_path):
    sdist = build(tree, "sdist", tmp_path)
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert names(build(unpacked, "wheel", tmp_path)) == names(wheel)


def test_metadata(wheel):
    archive = zipfile.ZipFile(wheel)
    (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = message_from_bytes(archive.read(path))
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["Requires-Python"] == ">=3.11"
    core = {line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line}
    assert {line.split(">=")[0] for line in core} == {"numpy", "numba", "scikit-learn"}


@pytest.mark.parametrize("name", ["kernels", "datasets"])
def test_folder_is_a_room_of_minitrain_and_no_top_level_name(installed, name):
    """In a fresh interpreter; -S keeps out the .pth files, and with them an editable install."""
    code = f"""
import importlib, importlib.util, sys
sys.path.insert(0, {str(installed)!r})
assert importlib.util.find_spec({name!r}) is None, "importable as a top-level name"
sys.path += {[sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]!r}
room = importlib.import_module("minitrain.{name}")
assert room.__file__.startswith({str(installed)!r}), room.__file__
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        cwd=installed,
        env={**os.environ, "NUMBA_CACHE_DIR": str(installed / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_scripts_refuse_the_same_pythons_as_the_package():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    oldest = setup["options"]["python_requires"].removeprefix(">=").split(".")
    helper = (ROOT / "scripts" / "_environment.py").read_text("utf-8")
    assert f"OLDEST = ({', '.join(oldest)})" in helper
