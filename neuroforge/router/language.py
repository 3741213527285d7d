"""Text -> ISO 639-1 code of its language: by script, and for Latin and Cyrillic script by small words."""

import re

MAX_CHARS = 600
"""The beginning says which language it is."""
UNKNOWN = "und"
MIN_HITS = 2
"""Small words of one language that it takes to be sure."""
MIN_LETTERS = 2
DOMINANCE = 0.3
"""Share of the letters from which a script decides: a Chinese text with much code in it is Chinese."""

_SCRIPTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af\u1100-\u11ff]")),
    ("zh", re.compile(r"[\u4e00-\u9fff\u3400-\u4dbf]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("bn", re.compile(r"[\u0980-\u09ff]")),
    ("ta", re.compile(r"[\u0b80-\u0bff]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
    ("ka", re.compile(r"[\u10a0-\u10ff]")),
)
"""Japanese stands before Chinese: it uses both scripts."""
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_PERSIAN = re.compile(r"[پچژگ]")
_WORD = re.compile(r"[^\W\d_]+")
_SMALL_WORDS: dict[str, str] = {
    "en": "the of and to in is that it for you with this are what how my be have not can do does write which a i an by "
    "at on or from into each these your should as was has will would all me if there they who when why could about so",
    "de": "der die das und ist nicht ein eine einem ich mit auf für den dem zu wie was sie es von im ins wir bitte "
    "wird folgenden zum zur",
    "fr": "le les des et est une un dans que qui pour pas je vous sur avec ce ça du en au il la quel comment mon",
    "es": "el los las es una un en que de por para con no se del mi cómo qué como está su la me",
    "it": "il alle come dalla che di è una un per non con sono gli del della mi questo in più cosa le nel lo",
    "pt": "os as é uma um em que de para com não do da no na por se como você meu mais",
    "nl": "de het een en is van ik niet dat op te met voor zijn wat hoe je naar maar er aan",
    "sv": "och att det är en ett som på för med inte jag av den hur vad du till har om",
    "da": "og at det er en et som på for med ikke jeg af den hvordan hvad du til har fra",
    "no": "og å det er en et som på for med ikke jeg av den hvordan hva du til har fra",
    "fi": "ja on ei se että mitä miten olen kun tai mutta minä hän ovat oli voi tämä kuinka",
    "pl": "nie na się to jest że do jak co czy dla mnie mam tego przez są",
    "cs": "se je na že to do jak co pro jsem jsou ne tak ale který mi",
    "ro": "și în este nu la cu un pe să ce de care din mai cum sunt pentru am",
    "hu": "az és nem hogy egy van ez mi meg is de csak kell vagy én hogyan mit",
    "tr": "ve bir bu ne için ile mi da de nasıl çok ben var gibi daha olan değil",
    "id": "yang dan di ini itu untuk tidak dengan saya apa dari ke bagaimana adalah pada anda",
    "vi": "là và của có không cho tôi một được những các với này như thế nào bạn trong",
    "ca": "el els les és una un en que de per amb no es del com què meu aquest són",
    "ru": "и в не на что я с как это по но он для у от вы мы где мне так",
    "uk": "і в не на що я з як це та але він для у від ви ми де мені є",
    "bg": "и в не на че аз с как това по но той за от вие ние къде ми е са",
}
_LANGUAGES_BY_WORD: dict[str, tuple[str, ...]] = {
    word: tuple(language for language, words in _SMALL_WORDS.items() if word in words.split())
    for word in {word for words in _SMALL_WORDS.values() for word in words.split()}
}


def detect_language(text: str) -> str:
    """Return the language that most of the text's beginning is in; `und` when it is too short to tell.

    Rarer languages of a script count as the script's most common one: Urdu as Arabic, Marathi as Hindi.
    """
    text = text[:MAX_CHARS]
    if text.isascii():
        return _by_small_words(text)
    n_letters = sum(map(str.isalpha, text))
    least = max(MIN_LETTERS, DOMINANCE * n_letters)
    counts = {language: len(pattern.findall(text)) for language, pattern in _SCRIPTS}
    if counts["ja"] and counts["ja"] + counts["zh"] >= least:
        return "ja"
    language = max(counts, key=lambda one: counts[one])
    if counts[language] >= least:
        return "fa" if language == "ar" and len(_PERSIAN.findall(text)) >= MIN_LETTERS else language
    found = _by_small_words(text)
    return "ru" if found == UNKNOWN and len(_CYRILLIC.findall(text)) >= least else found


def _by_small_words(text: str) -> str:
    """A word of several languages counts for each by its share; ties go to English, then to the table's order."""
    scores: dict[str, float] = {}
    hits: dict[str, int] = {}
    for word in _WORD.findall(text.lower()):
        languages = _LANGUAGES_BY_WORD.get(word, ())
        for language in languages:
            scores[language] = scores.get(language, 0.0) + 1 / len(languages)
            hits[language] = hits.get(language, 0) + 1
    best = max(_SMALL_WORDS, key=lambda language: scores.get(language, 0.0))
    return best if hits.get(best, 0) >= MIN_HITS else UNKNOWN
