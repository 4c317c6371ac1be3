"""What is presented, what is told of an answer, and what is an answer that only sounds like it."""

import pytest

from synth_assets.methods.revisions import speaks_of_an_answer, without_presentation

SAID = "Better not in hot weather: most of it evaporates. A better answer is early morning."


@pytest.mark.parametrize(
    "presented",
    [
        "A more detailed answer: {}",
        "A more precise answer would be: {}",
        "A more specific answer could have been:\n{}",
        "Here is the revised answer:\n\n{}",
        "Here's an improved version:\n{}",
        "Here's a revised version with more detail:\n{}",
        "The answer for this question would be: {}",
        "The answer is: {}",
        "**Revised answer:** {}",
        "Sure! Here is a better response: {}",
        "The correct answer is: {}",
        "Here is another possible answer:\n\n{}",
        "I'm sorry for any confusion. {}",
        "I apologize for the mistake in my previous answer. I'll make sure to be more accurate. {}",
        "Apologies for the oversight! I will provide a clear answer. Here is the revised answer:\n{}",
        "修改后的回答：{}",
        "以下是更清楚的版本：{}",
        "{}",
    ],
)
def test_a_presentation_is_taken_off(presented: str) -> None:
    assert without_presentation(presented.format(SAID)) == SAID


@pytest.mark.parametrize(
    "text",
    [
        "The answer treats the reader as a capable adult but has been widely referenced as a classic.",
        "This answer demonstrates how to check for a palindrome.",
        "The original answer should name its source.",
        "The revised response addresses the delay.",
        "A revised version could include the price.",
        "The answer advises against sharing personal data.",
        "This answer is correct; the game uses graphene.",
        "This critique has been provided with the correct answer.",
        "The food is late, as the original critique says.",
        "This question asks for how many rows there are.",
        "This type of question requires understanding fractions.",
        "The answer for this question requires a bit of rewriting:",
        "Please wash your cups.\n\nThe message is clear and respectful in tone.",
        "Please wash your cups.\nThis version avoids blame and keeps the deadline.",
        "It can still be cut, but that would lose the date. Here's a revised version of the text:\n\nThe lift is shut.",
        "```python\nprint(1)\n```\nCritique: Yes, and here is how it can be used.",
        "There are seven customers, which is not specified in the original question.",
        "The order is paid. The answer for this question would be: paid.",
        "That is what the program does, but I'll make sure to keep my answer concise.",
        "Try a new field. The answer provides more guidance than advice, but no example.",
        "The answer is not only simple but also very clear in its message.",
        "The task provides guidance on how to create an email template.",
        "This example is not only good but also helpful in this situation.",
        "This is not a critique at all. I'm glad that you prepare.",
        "It is unclear where to water. A revised version could be:\n\nThis text gives more places.",
        "It says nothing of the cat. A more suitable version would be the one with the tail.",
        "这个回答应该说明理由。",
        "原答案没有给出步骤。",
    ],
)
def test_what_tells_of_an_answer_is_seen(text: str) -> None:
    assert speaks_of_an_answer(text)


@pytest.mark.parametrize(
    "text",
    [
        "The answer is 12.",
        "The answer is yes: most animals can.",
        "This notice asks residents to shut their windows.",
        "The response time of a server is what a user waits for.",
        "The version provides no backup.",
        "I'm sorry for the inconvenience. I'll send a new one today.",
        "I'm sorry for any confusion.",
        "Dear all,\nthe message is clear: wash your cups.\nYours, Ali",
        "This question is open: nobody has counted them.",
        "Her critique of the novel was short.",
        "A new version of a flashlight could include a solar panel.",
        "Answer the phone, then write down the name.",
        "An answer needs a question.",
        "Send a GET request to /users. The response contains a list of users as JSON.",
        "B cells meet the antigen. The response provides immunity for years.",
        "Check: 7 x 8 = 56. The answer is correct.",
        "Run `git checkout HEAD~1` to restore the previous revision.",
        "Press Back to change your previous answer before you submit the form.",
        "Back up first: the new version might be incompatible with your plugins.",
        "- Reading: one hour\n- Revision: an hour of flash cards",
        "It is the Marxist critique of capitalism.",
        "Kant wrote the first Critique in 1781.",
        "The task is done, and the example shows how.",
        "The correct answer is twelve, because three fours are twelve.",
        "Both loops read the whole list. Here's an improved version:\n```python\nprint(1)\n```",
        "Cut the rope. Asked again, they said: the better answer is early morning.",
        "Photosynthesis answers this: light is turned into sugar. The answer shows in the leaves.",
        "答案是十二。",
        "这个问题应该分两步回答。",
        "",
    ],
)
def test_an_answer_is_none(text: str) -> None:
    assert not speaks_of_an_answer(text)
    assert without_presentation(text) == text


def test_what_a_code_block_begins_with_stays() -> None:
    assert without_presentation("A more specific answer could have been:\n```python\nprint(1)\n```") == "```python\nprint(1)\n```"
