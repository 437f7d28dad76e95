"""The search: space, ledger, proposer."""

from hakken.search.proposer import SAMPLERS, propose
from hakken.search.space import Dimension, Space
from hakken.search.trial import Trial

__all__ = ["SAMPLERS", "Dimension", "Space", "Trial", "propose"]
