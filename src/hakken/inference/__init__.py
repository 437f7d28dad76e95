"""From a trained network to score maps and candidates."""
