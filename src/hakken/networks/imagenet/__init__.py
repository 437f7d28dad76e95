"""Networks of the ImageNet years, with the parameter names of the files that their weights are published in."""
