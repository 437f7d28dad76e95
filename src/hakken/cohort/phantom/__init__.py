"""Cohorts that the package draws itself: metastases on MR of the head, aneurysms on MR angiography, their mimics."""
