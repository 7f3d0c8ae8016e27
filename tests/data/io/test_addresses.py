from __future__ import annotations

from pathlib import Path

import pytest

from unrolled.data.io.addresses import check_address, is_address, parts_of
from unrolled.errors import UsageError


@pytest.mark.parametrize(
    "address", ["s3://b/k.csv", "gs://b/f/", "abfs://c@a.dfs.core.windows.net/f", "hf://datasets/u/r"]
)
def test_an_address_is_known_and_kept(address: str) -> None:
    assert is_address(address)
    check_address(address)
    assert parts_of(address) == (address,)


@pytest.mark.parametrize(
    "source", ["a.csv", "C:/a.csv", Path("a.csv"), "-", ["s3://b/k.csv"], {"text": []}, None, "x://"[:2]]
)
def test_paths_and_data_in_memory_are_no_addresses(source: object) -> None:
    assert not is_address(source)


def test_two_files_of_texts_may_lie_elsewhere() -> None:
    assert parts_of("s3://b/t.en,s3://b/t.de") == ("s3://b/t.en", "s3://b/t.de")
    assert parts_of("s3://b/a,b.csv") == ("s3://b/a,b.csv",)


def test_an_address_that_became_a_path_is_refused() -> None:
    with pytest.raises(UsageError) as told:
        is_address(Path("s3://b/k.csv"))
    assert str(told.value) == "s3:/b/k.csv was an address before it became a path: give it as a str, with both slashes"


def test_a_local_file_has_no_address() -> None:
    with pytest.raises(
        UsageError, match=r"file:///tmp/a.csv is a file on this machine: give its path, without file://"
    ):
        is_address("file:///tmp/a.csv")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://who:secret@b/k.csv", "the address s3://…@b/k.csv holds a user name or a password"),
        ("https://secret@host/k.csv", "the address https://…@host/k.csv holds a user name or a password"),
        ("abfs://c:secret@a.dfs.core.windows.net/f", "the address abfs://…@a.dfs.core.windows.net/f holds a user name"),
        ("https://host/k.csv?X-Amz-Signature=secret", "https://host/k.csv has X-Amz-Signature after the question mark"),
        ("https://host/k.csv?secret", "https://host/k.csv has something after the question mark, which may be a key"),
        ("s3://b/k.csv?region=x&access_key=secret", "s3://b/k.csv has access_key after the question mark"),
    ],
)
def test_what_may_be_a_key_is_refused_and_not_repeated(address: str, said: str) -> None:
    with pytest.raises(UsageError) as told:
        check_address(address)
    assert said in str(told.value)
    assert "secret" not in str(told.value)
    assert "addresses are written into the run" in str(told.value)
    check_address("s3://b/k.csv?region=eu-west-1&endpoint_override=localhost:9000&scheme=http")
