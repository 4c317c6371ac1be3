"""Message Batches: what is handed in, what restarts and faults do to it, and what comes of every kind of result."""

import threading
from pathlib import Path

import pytest

from synth_assets.errors import BatchPending, BudgetExceeded, TeacherRefusedAccess, TeacherUnavailable
from synth_assets.teacher.batches import open_batches
from synth_assets.teacher.client import Teacher
from synth_assets.teacher.messages import Plan, Reply, Request
from synth_assets_tests.messages_api import Answer, BatchTerms, Behaviour, Call, Drop, Expired, Fault, MessagesApi
from synth_assets_tests.teacher.driving import PRICED, ask, request, requests, spent, states, teacher_for


def by_batch(api: MessagesApi, home: Path, **env: str) -> Teacher:
    teacher = teacher_for(api, home, **env)
    teacher.by_batch = True
    return teacher


def pending(teacher: Teacher, *batch: Request) -> list[str]:
    """The batches that a run of these requests ends waiting for."""
    with pytest.raises(BatchPending, match=r"waiting for (msgbatch_|a batch that another).*run again") as caught:
        ask(teacher, *batch)
    return caught.value.batches


def handed_in(api: MessagesApi) -> list[int]:
    """Requests in each batch that was made."""
    return [len(batch.requests) for batch in api.batches.kept.values()]


def test_a_batch_survives_a_restart_of_everything_and_is_half_the_price(tmp_path: Path) -> None:
    with MessagesApi(lambda call: Answer(call.text, input_tokens=10, output_tokens=9)) as api:
        with by_batch(api, tmp_path, **PRICED) as teacher:
            (remote,) = pending(teacher, *requests(5))
            assert pending(teacher, *requests(5)) == [remote]
        assert states(tmp_path) == {"batched": 5}
        with by_batch(api, tmp_path, **PRICED) as teacher:
            assert 5 * 0.004 < spent(teacher) < 5 * 0.008
            assert pending(teacher, *requests(5)) == [remote]
            api.finish(remote)
            replies = ask(teacher, *requests(5))
            assert [reply.text for reply in replies] == [f"question {n}" for n in range(5)]
            assert spent(teacher) == pytest.approx(5 * 0.001 / 2)
            assert [call["cost_usd"] for call in teacher.ledger.calls([replies[0].key])] == pytest.approx([0.0005])
            assert open_batches(teacher.ledger) == []
        assert handed_in(api) == [5]
    assert states(tmp_path) == {}


def test_online_and_batch_share_what_was_answered(tmp_path: Path) -> None:
    with MessagesApi(lambda call: call.text) as api:
        with teacher_for(api, tmp_path) as teacher:
            ask(teacher, *requests(3))
        with by_batch(api, tmp_path) as teacher:
            (remote,) = pending(teacher, *requests(5))
            assert handed_in(api) == [2]
            api.finish(remote)
            ask(teacher, *requests(5))
        with teacher_for(api, tmp_path) as teacher:
            assert [reply.text for reply in ask(teacher, *requests(5))] == [f"question {n}" for n in range(5)]
            assert teacher.calls_made == 0


def test_an_online_run_does_not_pay_again_for_what_is_in_a_batch(tmp_path: Path) -> None:
    with MessagesApi(lambda call: call.text) as api:
        with by_batch(api, tmp_path) as teacher:
            (remote,) = pending(teacher, *requests(2))
        with teacher_for(api, tmp_path) as teacher, pytest.raises(BatchPending, match=remote):
            ask(teacher, *requests(2))
        assert handed_in(api) == [2]


def test_only_what_was_not_answered_is_handed_in_again(tmp_path: Path) -> None:
    def script(call: Call) -> Behaviour:
        fates: dict[str, Behaviour] = {"question 1": Expired(), "question 2": Fault(529), "question 3": Fault(400, "prompt is too long")}
        return fates.get(call.text, call.text) if script_is_bad else call.text

    script_is_bad = True
    with MessagesApi(script) as api, by_batch(api, tmp_path) as teacher:
        (first,) = pending(teacher, *requests(5))
        api.finish(first)
        (second,) = pending(teacher, *requests(5))
        script_is_bad = False
        api.finish(second)
        replies = ask(teacher, *requests(5))
        assert handed_in(api) == [5, 2]
        assert [reply.rule for reply in replies] == ["", "", "", "bad_request", ""]
        assert "too long" in replies[3].evidence


def test_a_request_that_fails_in_every_batch_is_given_up(tmp_path: Path) -> None:
    with MessagesApi(lambda call: Fault(500, "no luck") if call.text == "question 0" else call.text) as api, by_batch(api, tmp_path) as teacher:
        for _ in range(3):
            (remote,) = pending(teacher, *requests(2))
            api.finish(remote)
        assert [reply.rule for reply in ask(teacher, *requests(2))] == ["teacher_error", ""]
        assert handed_in(api) == [2, 1, 1]


def test_a_cancelled_batch_is_handed_in_anew(tmp_path: Path) -> None:
    with MessagesApi(lambda call: call.text) as api, by_batch(api, tmp_path) as teacher:
        (remote,) = pending(teacher, *requests(3))
        api.finish(remote, expired=[teacher.key(request("question 1"))])
        (again,) = pending(teacher, *requests(3))
        assert again != remote
        assert handed_in(api) == [3, 1]


def test_more_than_one_batch_may_hold_splits_into_several(tmp_path: Path) -> None:
    with MessagesApi(lambda call: call.text, batch_terms=BatchTerms(max_requests=4)) as api, by_batch(api, tmp_path) as teacher:
        teacher.batch_limits = (4, 250_000_000)
        remotes = pending(teacher, *requests(10))
        assert handed_in(api) == [4, 4, 2]
        api.finish(remotes[1])
        assert pending(teacher, *requests(10)) == [remotes[0], remotes[2]]
        for remote in (remotes[0], remotes[2]):
            api.finish(remote)
        assert len(ask(teacher, *requests(10))) == 10


def test_bytes_split_too(tmp_path: Path) -> None:
    with MessagesApi(lambda call: "fine", batch_terms=BatchTerms(max_bytes=1200)) as api, by_batch(api, tmp_path) as teacher:
        teacher.batch_limits = (100, 1000)
        assert len(pending(teacher, *[request("x" * 300 + str(n)) for n in range(4)])) == 2
        assert handed_in(api) == [2, 2]


def test_a_batch_whose_confirmation_was_lost_is_found_and_not_paid_twice(tmp_path: Path) -> None:
    def lose(route: str, number: int) -> Fault | Drop | None:
        return Drop() if route == "POST /v1/messages/batches" and number == 1 else None

    with MessagesApi(lambda call: call.text, route_script=lose) as api:
        with by_batch(api, tmp_path) as teacher, pytest.raises(TeacherUnavailable, match="looked for first"):
            ask(teacher, *requests(3))
        assert states(tmp_path) == {"batched": 3}
        with by_batch(api, tmp_path) as teacher:
            (remote,) = pending(teacher, *requests(3))
            api.finish(remote)
            assert [reply.text for reply in ask(teacher, *requests(3))] == [f"question {n}" for n in range(3)]
        assert handed_in(api) == [3]


def test_a_batch_that_never_arrived_is_handed_in_again(tmp_path: Path) -> None:
    def refuse(route: str, number: int) -> Fault | Drop | None:
        return Fault(529) if route == "POST /v1/messages/batches" and number <= 6 else None

    with MessagesApi(lambda call: call.text, route_script=refuse) as api, by_batch(api, tmp_path) as teacher:
        with pytest.raises(TeacherUnavailable, match="6 tries"):
            ask(teacher, *requests(3))
        assert states(tmp_path) == {}
        pending(teacher, *requests(3))


def test_results_that_break_off_are_read_again(tmp_path: Path) -> None:
    with MessagesApi(lambda call: call.text, batch_terms=BatchTerms(broken_results=2)) as api, by_batch(api, tmp_path) as teacher:
        (remote,) = pending(teacher, *requests(30))
        api.finish(remote)
        replies = ask(teacher, *requests(30))
        assert [reply.text for reply in replies] == [f"question {n}" for n in range(30)]
        assert len(teacher.ledger.calls([reply.key for reply in replies])) == 30


def test_a_budget_takes_what_fits_and_the_rest_when_there_is_room(tmp_path: Path) -> None:
    with MessagesApi(lambda call: Answer(call.text, input_tokens=10, output_tokens=9)) as api:
        with by_batch(api, tmp_path, SYNTH_PRICE_USD_PER_MTOK="10,100", SYNTH_BUDGET_USD="0.02") as teacher:
            (remote,) = pending(teacher, *requests(5))
            (number,) = handed_in(api)
            assert 1 < number < 5
            assert spent(teacher) <= 0.02
            api.finish(remote)
            (second,) = pending(teacher, *requests(5))
            api.finish(second)
            assert len(ask(teacher, *requests(5))) == 5
        with by_batch(api, tmp_path, SYNTH_PRICE_USD_PER_MTOK="10,100", SYNTH_BUDGET_USD="0.004") as teacher, pytest.raises(BudgetExceeded):
            ask(teacher, request("one more"))


def test_an_endpoint_without_batches_is_told_with_its_remedy(tmp_path: Path) -> None:
    gone = pytest.raises(TeacherRefusedAccess, match="Write `mode: online`")
    with MessagesApi(route_script=lambda route, number: Fault(404, "no such route")) as api, by_batch(api, tmp_path) as teacher, gone:
        ask(teacher, request())
    assert states(tmp_path) == {}


def test_truncated_refused_and_malformed_results_have_their_names(tmp_path: Path) -> None:
    answers = {"question 0": Answer("cut", "max_tokens"), "question 1": Answer("", "refusal"), "question 2": Answer("")}
    with MessagesApi(lambda call: answers.get(call.text, Answer(call.text))) as api, by_batch(api, tmp_path) as teacher:
        (remote,) = pending(teacher, *requests(4))
        api.finish(remote)
        assert [reply.rule for reply in ask(teacher, *requests(4))] == ["max_tokens", "refusal", "empty", ""]


def test_a_plan_of_several_steps_goes_on_batch_by_batch(tmp_path: Path) -> None:
    folded: list[str] = []

    def plan() -> Plan:
        folded.clear()
        first: list[Reply] = yield requests(2)
        second: list[Reply] = yield [request(f"more of {reply.text}") for reply in first]
        folded.extend(reply.text for reply in second)

    with MessagesApi(lambda call: call.text) as api, by_batch(api, tmp_path) as teacher:
        for _ in range(2):
            with pytest.raises(BatchPending) as caught:
                teacher.run(plan())
            api.finish(caught.value.batches[0])
        teacher.run(plan())
    assert folded == ["more of question 0", "more of question 1"]


def test_two_processes_worth_of_teachers_hand_in_each_request_once(tmp_path: Path) -> None:
    with MessagesApi(lambda call: call.text) as api, by_batch(api, tmp_path) as one, by_batch(api, tmp_path) as two:
        both = [threading.Thread(target=pending, args=(teacher, *requests(40))) for teacher in (one, two)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert sum(handed_in(api)) == 40
