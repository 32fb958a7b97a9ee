"""Cached responses: never one that was made from another version of its source."""

from service.web.response_cache import MAX_BYTES, CachedResponse, ResponseCache


class Source:
    """The source version of answers, which a test replaces."""

    now: object = "first"


def kept(body: bytes, made_from: object) -> CachedResponse:
    return CachedResponse('"etag"', body, "/v1/segments", made_from)


def test_a_response_is_cached_while_its_source_version_is_current() -> None:
    answers = ResponseCache(lambda: Source.now)
    answers.keep(b"/a", kept(b"1", Source.now))

    response = answers.find(b"/a")

    assert response is not None
    assert response.content == b"1"
    assert answers.find(b"/b") is None


def test_a_response_made_from_an_earlier_version_is_never_returned() -> None:
    source = Source()
    answers = ResponseCache(lambda: source.now)
    source.now = "second"
    answers.keep(b"/b", kept(b"new", "second"))

    answers.keep(b"/a", kept(b"old", "first"))

    assert answers.find(b"/a") is None


def test_a_response_in_place_of_another_is_counted_once() -> None:
    answers = ResponseCache(lambda: Source.now)
    answers.keep(b"/other", kept(b"other", Source.now))

    for _ in range(3):
        answers.keep(b"/a", kept(bytes(MAX_BYTES // 2), Source.now))

    assert answers.find(b"/other") is not None


def test_answers_are_bounded_in_bytes() -> None:
    answers = ResponseCache(lambda: Source.now)
    half = bytes(MAX_BYTES // 2 + 1)
    for url in (b"/a", b"/b", b"/c"):
        answers.keep(url, kept(half, Source.now))

    assert answers.find(b"/a") is None
    assert answers.find(b"/c") is not None
