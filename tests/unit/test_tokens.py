"""Counting tokens: against counts that the real tokenizers gave, and against the shape of an estimate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.text.tokens import estimate

# text, and its tokens by cl100k_base, o200k_base (bpe-openai 0.1.4), Llama 3, Qwen 3 and Gemma 3
# (their tokenizer.json, tokenizers 0.23.3), counted outside of this repository.
REAL = {
    "ko prose": (
        (
            "지난주 금요일 오후에 열린 정기 회의에서는 내년도 사업 계획과 예산 배분을 두고 열띤 토론이 벌어졌다. 마케"
            "팅팀은 신제품 출시에 맞춰 온라인 광고 비용을 두 배로 늘려야 한다고 주장했고, 재무팀은 환율 상승과 원자재"
            " 가격 인상을 이유로 신중한 접근을 요청했다."
        ),
        (161, 83, 94, 107, 82),
    ),
    "ko rare words": (
        (
            "햇볕이 쨍쨍 내리쬐는 여름날, 할머니께서는 툇마루에 앉아 옥수수를 까시며 옛이야기를 들려주셨다. 꿰매고 닦고"
            " 쓸고 볶으며 하루를 보내셨던 그 모습이 아직도 눈앞에 선하다."
        ),
        (117, 82, 79, 82, 70),
    ),
    "ko chat": (
        (
            "ㅋㅋㅋㅋ 진짜요? 😂\n네 확인했습니다 🙏\nㅠㅠ 늦어서 죄송해요...\n넵!! 지금 바로 볼게요~~\nAPI 응답"
            "이 500 떠요;; 로그 확인 부탁드려요"
        ),
        (81, 50, 48, 62, 44),
    ),
    "ko and English terms": (
        (
            "쿠버네티스 클러스터에서 Pod가 OOMKilled 상태로 재시작되는 문제를 분석했습니다. resources."
            "limits.memory 값을 512Mi에서 1Gi로 올리고, JVM 옵션 -Xmx를 컨테이너 메모리의 75"
            "%로 설정하니 해결됐습니다."
        ),
        (91, 66, 71, 79, 67),
    ),
    "en prose": (
        (
            "The quarterly review began with a short account of what had "
            "gone wrong in the spring. Shipments were late in three regio"
            "ns, and although the new warehouse had opened on schedule, n"
            "obody had planned for the shortage of drivers that followed."
        ),
        (46, 46, 46, 46, 46),
    ),
    "en chat": (
        (
            "lol yeah same 😂\ncan u take a look at PR #4312?\nbrb\nty!! 🙏\npr"
            "od is down again :(\nit's kinda slow tbh..."
        ),
        (39, 36, 39, 41, 39),
    ),
    "python": (
        (
            'def claim(session, backend, now):\n    """The next step, or N'
            'one."""\n    row = session.get(Backend, backend, with_for_upd'
            "ate=True)\n    if row.in_flight >= row.limit:\n        return "
            "None\n    for step in session.scalars(select(Step).where(Step"
            ".due_at <= now).order_by(Step.id)):\n        step.fence += 1\n"
            "        return step\n"
        ),
        (83, 84, 83, 83, 100),
    ),
    "minified js": (
        (
            'var t=e=>{if(!e||"object"!=typeof e)return e;let r=Array.isA'
            "rray(e)?[]:{};for(let n in e)Object.prototype.hasOwnProperty"
            ".call(e,n)&&(r[n]=t(e[n]));return r};"
        ),
        (51, 55, 51, 51, 64),
    ),
    "json": (
        (
            '[{"id": 7919, "name": "user_1", "email": "u1@example.com", "'
            'active": false, "score": 0.14285714285714285}, {"id": 15838,'
            ' "name": "user_2", "active": true}]'
        ),
        (63, 63, 63, 79, 81),
    ),
    "numbers": (
        (
            "2491.88,5442.12,3701.94,6039.03,6252.15,653.61,131.65,8376.5"
            "1\n2593.95,2374.33,9913.85,5205.65,1298.26,7821.04,9012.77,44"
            "10.09\n"
        ),
        (78, 78, 78, 126, 126),
    ),
    "log line": (
        (
            "2026-11-21T12:31:07.412Z INFO worker[8812] job_id=9f2c1e77aa"
            "03b6d4 GET /api/v1/items/4821?page=3 200 117ms"
        ),
        (54, 54, 54, 73, 77),
    ),
    "base64": (
        (
            "aGVsbG8gd29ybGQsIHRoaXMgaXMgYSB0ZXN0IG9mIGEgbG9uZyBiYXNlNjQg"
            "c3RyaW5nIHdpdGggbm8gc3BhY2VzIGluIGl0IGF0IGFsbA0K"
        ),
        (80, 72, 79, 81, 74),
    ),
    "japanese": (
        (
            "会議は午後三時に始まります。資料は昨日メールで送りましたので、ご確認ください。プロジェクトの進捗について話し合う予定です"
            "。"
        ),
        (61, 38, 43, 36, 29),
    ),
    "chinese": (
        "会议将于下午三点开始。请大家提前阅读昨天发送的材料,我们会讨论项目进度以及下一季度的预算安排。",
        (48, 30, 37, 25, 27),
    ),
    "german": (
        (
            "Die Geschäftsführung hat beschlossen, die Überprüfung der Li"
            "eferantenverträge auf das nächste Quartal zu verschieben."
        ),
        (31, 23, 31, 30, 25),
    ),
    "emoji": (
        "😀😂🤣😊😍🙏👍🎉🔥💯🚀✅❌⚠️👨\u200d👩\u200d👧🇰🇷🥲🫠",
        (61, 37, 59, 29, 23),
    ),
    "newlines": (
        "\n" * 400,
        (13, 25, 13, 13, 13),
    ),
}


@pytest.mark.parametrize(("text", "real"), REAL.values(), ids=REAL.keys())
def test_the_estimate_is_never_more_than_a_tenth_below_any_real_tokenizer(text, real):
    assert estimate(text) >= 0.9 * max(real)


@pytest.mark.parametrize(("text", "real"), REAL.values(), ids=REAL.keys())
def test_the_estimate_is_of_use_it_stays_near_the_dearest_tokenizer(text, real):
    assert estimate(text) <= 1.45 * max(real)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        ("a", 1, 1),
        ("가", 1, 2),
        ("hello world", 2, 2),
        ("안녕하세요 반갑습니다", 14, 17),
        ("-" * 160, 2, 16),
        (" " * 160, 2, 12),
        ("ㅋ" * 10, 10, 20),
        ("x" * 400, 200, 400),
        ("\ud800", 1, 3),
    ],
)
def test_small_and_odd_texts_have_sensible_counts(text, least, most):
    assert least <= estimate(text) <= most


@given(st.text(), st.text())
def test_two_texts_cost_no_more_together_than_apart_with_a_line_between(one, other):
    assert estimate(f"{one}\n{other}") <= estimate(one) + estimate(other) + 1


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_token_is_never_cheaper_than_it_can_be_nor_dearer_than_its_bytes(text):
    assert estimate(text) <= len(text.encode()) + 1


def test_a_long_text_costs_in_proportion():
    paragraph = REAL["ko prose"][0] + "\n\n" + REAL["en prose"][0] + "\n\n"
    assert abs(estimate(paragraph * 1_000) - 1_000 * estimate(paragraph)) <= 1_000
