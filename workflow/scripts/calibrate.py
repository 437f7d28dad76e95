"""Rule `calibrate`: plain values to hakken.stages.calibrate."""

from typing import TYPE_CHECKING

from hakken.stages.calibrate import calibrate

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

calibrate(
    study=snakemake.params.study,
    expected=snakemake.input.expected,
    prepared=snakemake.input.prepared,
    output=snakemake.output.calibration,
    log=snakemake.log[0],
)
