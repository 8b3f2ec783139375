import pytest

from piriform.errors import ConfigError, PiriformError, StudyError, did_you_mean, known


def test_known_returns_what_it_knows():
    assert known("solver", "lda", {"svm": 1, "lda": 2}) == "lda"


def test_known_lists_the_options_and_suggests_the_closest():
    with pytest.raises(ConfigError, match=r"unknown solver 'ldaa' \(did you mean 'lda'\?\); choose from lda, svm$"):
        known("solver", "ldaa", ["svm", "lda"])


def test_known_raises_the_error_it_is_given():
    with pytest.raises(StudyError, match="unknown table"):
        known("table", "x", [], StudyError)


def test_nothing_is_suggested_for_a_word_like_no_other():
    assert did_you_mean("zzz", ["svm", "lda"]) == ""


def test_every_error_is_a_value_error_for_callers_without_piriform():
    assert issubclass(PiriformError, ValueError)
