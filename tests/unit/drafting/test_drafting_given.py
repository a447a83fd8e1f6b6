import pytest

from dispatcher.jobs.drafting.given import read_question
from dispatcher.jobs.drafting.languages import english, german
from dispatcher.jobs.drafting.values import Unreadable
from storage.tables import QuestionType

MC, MR = QuestionType.multiple_choice, QuestionType.multiple_response
TF, SA = QuestionType.true_false, QuestionType.short_answer
AB = ["Ignore it", "Report it"]


@pytest.mark.parametrize(
    ("entry", "type_", "options", "right"),
    [
        ({"options": AB, "answer": "Report it"}, MC, AB, ["Report it"]),
        ({"options": AB, "answer": "  report IT. "}, MC, AB, ["Report it"]),
        ({"options": AB, "answer": 1}, MC, AB, ["Report it"]),
        ({"options": AB, "answer": "B"}, MC, AB, ["Report it"]),
        ({"options": AB, "answer": "b)"}, MC, AB, ["Report it"]),
        ({"options": AB, "correct_answer": "(A)"}, MC, AB, ["Ignore it"]),
        ({"options": AB, "correctIndex": 0}, MC, AB, ["Ignore it"]),
        ({"options": [1, 2, 3], "answer": 2}, MC, ["1", "2", "3"], ["2"]),
        ({"options": ["B", "A"], "answer": "A"}, MC, ["B", "A"], ["A"]),
        ({"choices": {"a": "x", "b": "y"}, "correct": "b"}, MC, ["x", "y"], ["y"]),
        ({"choices": [{"id": "p", "text": "x"}, {"id": "q", "text": "y"}], "answer": "q"}, MC, ["x", "y"], ["y"]),
        ({"options": [{"label": "A", "text": "x"}, {"label": "B", "text": "y"}], "answer": "B"}, MC, ["x", "y"], ["y"]),
        ({"options": [{"text": "x"}, {"text": "y", "isCorrect": True}]}, MC, ["x", "y"], ["y"]),
        ({"answers": [{"text": "x"}, {"text": "y", "correct": True}]}, MC, ["x", "y"], ["y"]),
        ({"answers": ["x", "y"], "correct": 0}, MC, ["x", "y"], ["x"]),
        ({"options": ["x", "y"], "answers": ["y"]}, MC, ["x", "y"], ["y"]),
        ({"options": ["x", "y", "z"], "correctAnswers": ["x", "z"]}, MR, ["x", "y", "z"], ["x", "z"]),
        ({"options": ["x", "y"], "answer": "x", "type": "multiple-response"}, MR, ["x", "y"], ["x"]),
        ({"options": ["True", "False"], "answer": True}, TF, ["True", "False"], ["True"]),
        ({"options": ["Yes", "No"], "answer": "No", "type": "true_false"}, TF, ["Yes", "No"], ["No"]),
        ({"options": ["Yes", "No"], "answer": "No"}, MC, ["Yes", "No"], ["No"]),
        ({"answer": False}, TF, ["True", "False"], ["False"]),
        ({"type": "True/False", "answer": "true"}, TF, ["True", "False"], ["True"]),
        ({"answer": "Paris"}, SA, [], ["Paris"]),
        ({"answers": ["Paris", "paris", "Lutetia"]}, SA, [], ["Paris", "paris", "Lutetia"]),
        ({"answer": 42}, SA, [], ["42"]),
        (
            {"options": [{"text": "polish"}, {"text": "Polish"}], "answer": "Polish"},
            MC,
            ["polish", "Polish"],
            ["Polish"],
        ),
    ],
)
def test_a_question_is_read_however_it_is_spelled(
    entry: dict[str, object], type_: QuestionType, options: list[str], right: list[str]
) -> None:
    question = read_question({"question": "Q?", **entry}, "question 1", english.PHRASES)

    assert (question.type, list(question.options), list(question.correct_answers)) == (type_, options, right)


def test_title_and_explanation_are_taken_over() -> None:
    question = read_question(
        {"prompt": "Q?", "title": "Check", "answer": "x", "feedback": "Because."}, "question 1", english.PHRASES
    )

    assert (question.question, question.title, question.explanation) == ("Q?", "Check", "Because.")


def test_true_and_false_are_words_of_the_language() -> None:
    question = read_question({"question": "Q?", "type": "boolean", "answer": "wahr"}, "question 1", german.PHRASES)

    assert (question.options, question.correct_answers) == (("Wahr", "Falsch"), ("Wahr",))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"options": AB, "answer": "Run"}, "has the answer “Run”, which is not among its options; make it one of them"),
        ({"options": AB, "answer": 2}, "has the answer “2”, which is not among its options; make it one of them"),
        ({"options": AB, "answer": "C"}, "has the answer “C”, which is not among its options; make it one of them"),
        (
            {"options": AB, "answerIndex": 2},
            "has an answer index that is no position in its options; count them from 0",
        ),
        (
            {"options": AB, "answerIndex": True},
            "has an answer index that is no position in its options; count them from 0",
        ),
        ({"options": AB}, 'has no right answer; give it an "answer"'),
        ({}, 'has no right answer; give it an "answer"'),
        ({"options": ["x"], "answer": "x"}, "has only one option; give it at least two"),
        ({"options": ["x", "x"], "answer": "x"}, "has the option “x” twice; remove one"),
        ({"options": ["x", " "], "answer": "x"}, "has an empty option; give it a text or remove it"),
        ({"options": [None, "x", "y"], "answer": 1}, "has an empty option; give it a text or remove it"),
        ({"options": "x, y", "answer": "x"}, 'has a text as "options"; send a list'),
        ({"options": [f"{n}" for n in range(51)], "answer": "1"}, "has more than 50 options; remove some"),
        ({"answers": [f"{n}" for n in range(51)]}, "has more than 50 answers; remove some"),
        (
            {"options": ["x", "y" * 1001], "answer": "x"},
            "has an option of more than 1000 characters; shorten it",
        ),
        (
            {"options": AB, "answer": 0, "rationale": "x" * 5001},
            "has an explanation of more than 5000 characters; shorten it",
        ),
        ({"type": "true-false", "answer": "maybe"}, 'is answered by true or false; make its "answer" one of them'),
        ({"options": AB, "answer": [["x"]]}, '"answer" is a list; send text'),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(entry: dict[str, object], message: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_question({"question": "Q?", **entry}, "question 1", english.PHRASES)

    assert str(refused.value) == f"the question “Q?” {message}"
