"""Rule `figure_registration`: plain values to hakken.stages.figure_registration."""

from typing import TYPE_CHECKING

from hakken.stages.figure_registration import figure_registration

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_registration(
    study=snakemake.params.study,
    registered=snakemake.input.registered,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    output=snakemake.output,
    log=snakemake.log[0],
)
