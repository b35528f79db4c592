"""Simulated experiments that show what each test of cxrbench.stats says where nothing, or something known, differs."""
