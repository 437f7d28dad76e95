"""Rule `figure_froc`: plain values to hakken.stages.figure_froc."""

from typing import TYPE_CHECKING

from hakken.stages.figure_froc import figure_froc

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_froc(
    study=snakemake.params.study,
    validation=snakemake.input.validation,
    test=snakemake.input.test,
    default=snakemake.input.default,
    validation_curve=snakemake.input.validation_curve,
    test_curve=snakemake.input.test_curve,
    default_curve=snakemake.input.default_curve,
    selected=snakemake.input.selected,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    output=snakemake.output,
    log=snakemake.log[0],
)
