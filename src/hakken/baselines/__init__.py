"""Baselines: what has learnt nothing and stands beside the models of a study, each a module.

A baseline's module holds

- ``OUTCOMES``: of which outcomes it says something, a literal;
- ``fit(cases, study)``: its plain values, chosen on the validation cases; where the module says ``TRAINING = True``, a
  literal, it is ``fit(cases, study, training)``, with the training cases, which it may count or average;
- ``predict(values, case, study)``: what it says of a case, by outcome;
- ``words(values, study)``: the rule in a few words;

and where it takes one kind of cases alone, ``CASES``, `images` or `items`, a literal.

It is frozen, predicted and measured as a model is. A study that names none has those that its outcome names
(`hakken.study.beside`).
"""
