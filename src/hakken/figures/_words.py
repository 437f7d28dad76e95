"""Words that several figures say."""

from __future__ import annotations

from hakken.study import Study

ABBREVIATIONS = {"snr": "SNR", "auc": "AUC", "fp": "FP"}


def published(study: Study) -> list[str]:
    """Return a line on the result of the publication; none where the study names no publication."""
    if study.published is None:
        return []
    caution = " (patients; must not be compared with a phantom)" if study.of_phantom else ""
    return [f"Published: {study.published.result.rstrip('.')}{caution}."]


def spoken(name: str) -> str:
    """Return a name as people read it.

    >>> spoken("learning_rate"), spoken("training_snr")
    ('learning rate', 'training SNR')
    """
    return " ".join(ABBREVIATIONS.get(word, word) for word in name.split("_"))


def titled(name: str) -> str:
    """Return a name as it begins a line.

    >>> titled("training_snr")
    'Training SNR'
    """
    words = spoken(name)
    return words[:1].upper() + words[1:]


def counted(number: int, what: str) -> str:
    """Return a number of things.

    >>> counted(1, "lesion"), counted(3, "patient")
    ('1 lesion', '3 patients')
    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
