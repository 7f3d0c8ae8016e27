from __future__ import annotations

from unrolled.data.io.column_names import (
    names_a_source,
    names_a_time,
    names_an_actor,
    names_an_identity,
    names_an_item,
    words_of,
)


def test_words_are_told_apart_by_case_and_by_signs() -> None:
    assert words_of("pickup_dateTime 2") == ["pickup", "date", "time"]
    assert words_of("URLOfPage") == ["url", "of", "page"]
    assert words_of("42") == []


def test_names_that_say_that_a_column_holds_times() -> None:
    assert all(names_a_time(name) for name in ("date", "ds", "Order Date", "pickup_datetime", "createdTime", "TS"))
    assert not any(names_a_time(name) for name in ("price", "dateline", "sometimes", "x", "update"))


def test_names_of_things_and_identities() -> None:
    assert all(names_an_item(name) for name in ("item", "movieId", "page_url"))
    assert not any(names_an_item(name) for name in ("price", "event_time"))
    assert names_an_identity("storeId") and not names_an_identity("paid")


def test_an_actor_is_a_source_of_rows_and_a_store_is_no_actor() -> None:
    assert names_an_actor("user") and names_an_actor("sessionid") and not names_an_actor("store")
    assert names_a_source("user") and names_a_source("store_id") and not names_a_source("price")
