import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.router.language import detect_language


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "What is the capital of the country?"),
        ("de", "Wie ist das Wetter und was soll ich anziehen?"),
        ("fr", "Quelle est la plus grande planète du système solaire ?"),
        ("es", "¿Quién pintó Las Meninas y en qué museo se encuentra?"),
        ("it", "Il treno parte alle otto e non è in orario"),
        ("ru", "Привет, как дела?"),
        ("uk", "Що це таке і як воно працює?"),
        ("zh", "请把下面的句子翻译成英文"),
        ("ja", "次の文を英語に翻訳してください。"),
        ("ko", "안녕하세요, 무엇을 도와드릴까요?"),
        ("ar", "ما هي عاصمة فرنسا؟"),
        ("fa", "پایتخت فرانسه چیست و چگونه می‌توان رفت؟ گچ"),
        ("el", "Ποια είναι η πρωτεύουσα της Γαλλίας;"),
        ("hi", "फ्रांस की राजधानी क्या है?"),
        ("zh", "用 Python 写一个快速排序函数，并解释它的时间复杂度。"),
        ("en", "What does the Russian word дружба mean in English?"),
    ],
)
def test_a_sentence_is_recognised(language: str, text: str) -> None:
    assert detect_language(text) == language


@pytest.mark.parametrize("text", ["", "Hello!", "17 * 24", "def f(x): x", "😀"])
def test_too_little_text_is_undetermined(text: str) -> None:
    assert detect_language(text) == "und"


@given(st.text())
def test_any_text_has_a_code(text: str) -> None:
    assert 2 <= len(detect_language(text)) <= 3
