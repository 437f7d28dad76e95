"""What a classifier must beat: a linear one that knows nothing but the mean intensity of each phase in the lesion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hakken.patches.crop_store import CropStore, Ints


def linear_probabilities(store: CropStore, classes: int) -> NDArray[np.float64]:
    """Return probabilities (n, k) of all lesions, each from a model that was fitted to the folds of the others.

    A multinomial logistic regression of the standardised means, the classes weighted to count the same.
    """
    found = np.zeros((len(store.truth), classes))
    for fold in np.unique(store.fold).tolist():
        held: Ints = np.flatnonzero(store.fold == fold)
        rest = np.flatnonzero(store.fold != fold)
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
        model.fit(store.means[rest], store.truth[rest])
        found[np.ix_(held, model.classes_)] = model.predict_proba(store.means[held])
    return found
