"""Baselines: what has learnt nothing and stands beside the models of a study, each a module.

A baseline's module holds

- ``fit(cases, study)``: its plain values, chosen on the validation cases;
- ``predict(values, case, study)``: what it says of a case, by outcome;
- ``words(values, study)``: the rule in a few words.

It is frozen, predicted and measured as a model is.
"""
