"""Fixtures of the end-to-end tests."""

import shutil

import pytest

import harness


@pytest.fixture(scope="session")
def isoform(tmp_path_factory):
    """The program; one signing key for the whole session."""
    return harness.Program(tmp_path_factory.mktemp("config"))


@pytest.fixture
def sales(tmp_path):
    """A copy of the sample table in a folder of its own."""
    return shutil.copy(harness.TABLES / "sales.csv", tmp_path / "sales.csv")


@pytest.fixture
def converted(isoform, sales, tmp_path):
    """The sample table as Parquet, with its certificate."""
    target = tmp_path / "sales.parquet"
    isoform("convert", sales, target).expect(0)
    return target


@pytest.fixture(scope="session")
def tall(tmp_path_factory):
    """A table of several parts: 200,000 rows, more than three chunks of 65,536."""
    path = tmp_path_factory.mktemp("tall") / "tall.csv"
    with open(path, "w") as file:
        file.write("id,squared,word\n")
        file.writelines(f"{i},{i * i},word {i % 997}\n" for i in range(200_000))
    return path
