"""What becomes of a word is remembered where the word may come again."""

from collections import Counter

from services.bounce.reply.word_by_word import WordByWord


def test_words_are_put_together_with_single_spaces() -> None:
    assert WordByWord(str.upper).of(" a-b\n c1\u3000 ") == "A-B C1"


def test_words_of_letters_stay() -> None:
    assert WordByWord(str.upper).of("quota é a.") == "quota é A."


def test_a_word_is_looked_into_once() -> None:
    asked: Counter[str] = Counter()

    def upper(word: str) -> str:
        asked[word] += 1
        return word.upper()

    words = WordByWord(upper)

    assert words.of("5.1.1a (a) (a)") == "5.1.1A (A) (A)"
    assert words.of("(a) 5.1.1a") == "(A) 5.1.1A"
    assert asked == {"5.1.1a": 1, "(a)": 1}


def test_what_no_other_reply_has_is_not_remembered() -> None:
    words = WordByWord(lambda word: "*" if "@" in word else word)

    words.of("<somebody@shop.example>: see https://help.example/unknown-user " + "x1" * 100)

    assert list(words) == ["https://help.example/unknown-user"]


def test_however_many_words_come_few_are_remembered() -> None:
    words = WordByWord(str.upper)

    for number in range(20_000):
        assert words.of(f"a{number}") == f"A{number}"

    assert len(words) < 10_000
