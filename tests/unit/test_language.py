"""The language of a text, as the card names it."""

import pytest

from tasks import catalogue
from tasks.text import language


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (None, ""),
        (None, "12345 !? 😂"),
        ("ko", "이 글을 요약해 주세요"),
        ("ko", "쿠버네티스 Pod가 OOMKilled 상태로 재시작되는 문제를 분석했습니다."),
        ("en", "The meeting was moved to Thursday and we have not told them."),
        ("ja", "会議は午後三時に始まります。資料をご確認ください。"),
        ("zh", "会议将于下午三点开始,请大家提前阅读材料。"),
        ("ru", "Совещание начнётся в три часа."),
        ("el", "Η συνάντηση αρχίζει στις τρεις."),
        ("he", "הפגישה מתחילה בשלוש."),
        ("ar", "يبدأ الاجتماع في الساعة الثالثة."),
        ("hi", "बैठक तीन बजे शुरू होगी।"),
        ("th", "การประชุมเริ่มเวลาสามโมง"),
        ("de", "Die Sitzung beginnt um drei und wird nicht lange dauern."),
        ("fr", "La réunion commence à trois heures et nous sommes dans la salle des fêtes."),
        ("es", "La reunión empieza a las tres y es muy importante para los clientes."),
        ("pt", "A reunião começa às três e não é mais uma das que são feitas em casa."),
        ("it", "La riunione inizia alle tre e non è della direzione, per gli altri sono le due."),
        ("nl", "De vergadering begint om drie uur en het is niet voor een van de klanten."),
        ("vi", "Cuộc họp bắt đầu lúc ba giờ và không có người của các phòng khác."),
        ("id", "Rapat dimulai pukul tiga dan tidak ada yang akan datang dari kantor ini."),
    ],
)
def test_detect(code, text):
    assert language.detect(text) == code
    for spoken in catalogue.LANGUAGES:
        assert code is None or f"language.{code}" in catalogue.keys(spoken)


def test_code_and_links_do_not_count():
    text = "보세요 https://example.com/the/way/of/the/link\n```\nfor the in that: this and of\n```"
    assert language.detect(text) == "ko"
