"""Cohorts that the package draws itself: heads with contrast-enhanced MR, their metastases and what looks like them."""
