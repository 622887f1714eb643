"""What counts as a private value; how many are found of each kind is measured by bench, on other texts."""

import pytest

from tasks.text import private
from tasks.text.kind import Kind

# In pieces, so that nobody takes the tests for a leak.
SLACK = "xoxb-" + "123456789012-abcDEF123456"
AWS = "AKIA" + "IOSFODNN7ABCDEFG"
GITHUB = "ghp_" + "a1B2" * 9


def found(text: str, kinds=private.EVERY) -> list[tuple[str, str]]:
    return [(each.kind.value, text[each.start : each.end]) for each in private.find(text, kinds)]


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("PHONE", "010-1234-5678", "전화는 {}로 주세요"),
        ("PHONE", "+82 10-1234-5678", "call {} please"),
        ("PHONE", "02-555-1234", "본사 {}"),
        ("PHONE", "０１０－１２３４－５６７８", "번호 {}입니다"),
        ("PHONE", "(415) 555-0132", "reach me at {}."),
        ("PHONE", "+1 415-555-0132", "reach me at {}!"),
        ("PHONE", "+49 30 901820", "Berlin {}"),
        ("RESIDENT", "900101-1234568", "주민번호 {}인"),
        ("RESIDENT", "900101-5234567", "외국인등록번호 {}"),
        ("SSN", "123-45-6789", "SSN {}."),
        ("ACCOUNT", "110-123-456789", "신한은행 {} 으로"),
        ("ACCOUNT", "301-0123-4567-11", "{} 농협 김민수"),
        ("ACCOUNT", "DE89 3704 0044 0532 0130 00", "IBAN {} BIC"),
        ("CARD", "4111-1111-1111-1111", "카드 {}로"),
        ("CARD", "3782 822463 10005", "Amex {}"),
        ("BUSINESS", "124-81-00998", "(주)한빛 {}"),
        ("PASSPORT", "M12345678", "여권번호 {}"),
        ("PASSPORT", "X1234567", "passport no. {},"),
        ("LICENCE", "11-12-123456-12", "운전면허 {}"),
        ("LICENCE", "D1234567", "driver's license {}"),
        ("EMAIL", "kim.ms@example.co.kr", "메일은{}로"),
        ("IP", "10.20.30.40", "서버 {}에서"),
        ("IP", "2001:db8::8a2e:370:7334", "from {} now"),
        ("KEY", SLACK, "token {}!"),
        ("KEY", AWS, "key {}"),
        ("KEY", GITHUB, "https://{}@github.com/a/b"),
        ("KEY", "Tr0ub4dor&3", "비밀번호는 {} 입니다"),
        ("KEY", "hunter2hunter", "postgres://app:{}@db/x"),
        ("KEY", "9f86d081884c7d659a2feaa0c55ad015", "api_key={}&page=1"),
    ],
)
def test_a_value_is_found_whole_among_words(kind, value, text):
    assert found(text.format(value)) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "주문번호 20251103-48291, 운송장 6892-3410-5571",
        "2025-11-03 14:00~15:30, 버전 2.10.4.1, v1.2.3.4",
        "129,000원, $1,234,567.89, 23.3%",
        "127.0.0.1:8000 and 0.0.0.0, std::vector, a[::2], 12:30:45",
        "commit 9f2c1e77aa03b6d4e8b7c6d5a4f3e2d1c0b9a8f7",
        "550e8400-e29b-41d4-a716-446655440000",
        "password: (leave empty), api_key=YOUR_API_KEY, max_tokens=4096",
        "the secret of the key is a token",
        "품번 02-1234-5678-A",
        "4111-1111-1111-1112",  # The check digit is wrong.
        "@dana ping @here, 회의@3층",
    ],
)
def test_what_only_looks_like_one_stays(text):
    assert found(text) == []


def test_only_the_kinds_that_are_asked_for_are_looked_for():
    text = "010-1234-5678, a@example.com"
    assert found(text, frozenset({Kind.EMAIL})) == [("EMAIL", "a@example.com")]
    assert found(text, frozenset()) == []


@pytest.mark.parametrize(
    "run",
    [
        "0",
        "1234 ",
        "+1",
        "010-",
        "a@",
        "key=a1",
        "::1",
        "1.",
        "://a:b",
        "eyJa.",
        "AB12 ",
        "password ",
        "key a b ",
    ],
)
def test_a_long_run_of_anything_takes_no_more_than_linear_time(run):
    """A quadratic pattern would take hours here, and the test's limit is a minute."""
    assert isinstance(private.find(run * (300_000 // len(run)), private.EVERY), list)
