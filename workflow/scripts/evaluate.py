"""Rule `evaluate`: plain values to hakken.stages.evaluate."""

from typing import TYPE_CHECKING

from hakken.stages.evaluate import evaluate

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

evaluate(
    study=snakemake.params.study,
    model=snakemake.params.model,
    part=snakemake.params.part,
    candidates=snakemake.input.candidates,
    prepared=snakemake.input.prepared,
    operating_threshold=snakemake.input.get("threshold") or None,
    output=snakemake.output.evaluation,
    curve=snakemake.output.curve,
    strata=snakemake.output.strata,
    lesions=snakemake.output.lesions,
    log=snakemake.log[0],
)
