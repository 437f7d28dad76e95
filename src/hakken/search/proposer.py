from __future__ import annotations
SAMPLERS = ("bayesian", "random", "sobol")
def propose(space, trials, *, number, seed, maximise=True, sampler="bayesian", startup=3):
    return {}
