"""Rule `figure_calibration`: plain values to hakken.stages.figure_calibration."""

from typing import TYPE_CHECKING

from hakken.stages.figure_calibration import figure_calibration

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_calibration(
    study=snakemake.params.study,
    validation=snakemake.input.validation,
    test=snakemake.input.test,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    output=snakemake.output,
    log=snakemake.log[0],
)
