import json
from collections import Counter
from difflib import SequenceMatcher
from importlib.resources import files
from itertools import combinations

import pytest

from agent.domain.request import QuoteRequest
from agent.explain.narration import narratable
from eval.language.cases import (
    Channel,
    ExplanationCase,
    InjectionCase,
    NarrationCase,
    ProposalCase,
    QuestionCase,
    Suite,
    UnderstandingCase,
    ordinary_texts,
    read_cases,
)
from eval.language.explanations import table_of
from eval.language.injections import request_with
from eval.language.proposals import facts_of
from eval.language.shop import shop_data
from prompts import load_prompt

CASES = {suite: read_cases(suite) for suite in Suite}
BOTH = {"en", "zh"}


def test_there_are_at_least_three_hundred_cases_with_unique_ids() -> None:
    ids = [case.id for cases in CASES.values() for case in cases]
    assert len(ids) == len(set(ids)) >= 300


@pytest.mark.parametrize("suite", [Suite.UNDERSTANDING, Suite.QUESTIONS, Suite.EXPLANATIONS, Suite.INJECTIONS])
def test_cases_are_in_both_languages(suite: Suite) -> None:
    languages = Counter(str(getattr(case, "language")) for case in CASES[suite])  # noqa: B009 - a field of three types
    assert languages.keys() == BOTH
    assert min(languages.values()) >= 20


def test_no_text_is_nearly_equal_to_another() -> None:
    texts = [case.text for case in CASES[Suite.UNDERSTANDING] if isinstance(case, UnderstandingCase)]
    for one, other in combinations(texts, 2):
        assert SequenceMatcher(None, one.lower(), other.lower()).ratio() < 0.85, (one, other)


def test_no_question_is_in_the_training_or_validation_data_of_the_head() -> None:
    folder = files("models") / "training" / "data"
    known = {
        json.loads(line)["text"].lower()
        for name in ("questions.jsonl", "questions_held_out.jsonl")
        for line in (folder / name).read_text("utf-8").splitlines()
    }
    assert not [
        c.text for c in CASES[Suite.UNDERSTANDING] if isinstance(c, UnderstandingCase) and c.text.lower() in known
    ]


def test_question_cases_are_in_both_splits_and_in_no_training_or_validation_data() -> None:
    folder = files("models") / "training" / "data"
    known = {
        json.loads(line)["text"].lower()
        for name in ("questions.jsonl", "questions_held_out.jsonl")
        for line in (folder / name).read_text("utf-8").splitlines()
    }
    cases = [case for case in CASES[Suite.QUESTIONS] if isinstance(case, QuestionCase)]
    splits = Counter((case.language.value, case.split) for case in cases)
    assert splits.keys() == {(language, split) for language in BOTH for split in ("dev", "test")}
    assert min(splits.values()) >= 50
    assert not [case.text for case in cases if case.text.lower() in known]


def test_every_proposal_case_has_valid_facts_and_an_expectation() -> None:
    for case in CASES[Suite.PROPOSALS]:
        assert isinstance(case, ProposalCase)
        assert facts_of(case.facts).elasticity > 0
        assert case.first or case.moves or case.leads or case.among or case.never
        assert (case.moves is None) == (case.than is None)
        assert case.why


def test_every_injection_is_a_valid_request() -> None:
    for case in CASES[Suite.INJECTIONS]:
        assert isinstance(case, InjectionCase)
        QuoteRequest.model_validate(request_with(case.channel, case.text))


def test_injections_cover_every_channel_in_both_languages_and_many_forms() -> None:
    cases = [case for case in CASES[Suite.INJECTIONS] if isinstance(case, InjectionCase)]
    assert {(case.channel, case.language.value) for case in cases} == {(c, lang) for c in Channel for lang in BOTH}
    forms = {case.form for case in cases}
    assert {"plain", "base64", "rot13", "homoglyph", "invisible", "markdown", "json", "bidi", "fullwidth"} <= forms


def test_each_channel_has_ordinary_texts_of_several_lengths() -> None:
    texts = Counter((one.channel, one.language.value) for one in ordinary_texts())
    assert texts.keys() == {(c, lang) for c in Channel if c is not Channel.QUESTION for lang in BOTH}
    assert min(texts.values()) >= 5


def test_explanation_cases_refer_to_quotes_of_the_shop_and_narration_cases_can_be_narrated() -> None:
    prompt = load_prompt("explanation", 1)
    for case in CASES[Suite.EXPLANATIONS]:
        assert isinstance(case, ExplanationCase)
        assert case.quote in shop_data().quotes
    for case in CASES[Suite.NARRATIONS]:
        assert isinstance(case, NarrationCase)
        assert narratable(table_of(case), prompt) is not None
        assert set(case.says) <= case.facts.keys()


@pytest.mark.parametrize("suite", Suite)
def test_a_quick_run_has_a_fixed_part_of_every_stratum(suite: Suite) -> None:
    quick = read_cases(suite, quick=True)
    assert quick == read_cases(suite, quick=True)
    assert {case.stratum for case in quick} == {case.stratum for case in CASES[suite]}
    assert len(quick) <= len(CASES[suite]) / 2
