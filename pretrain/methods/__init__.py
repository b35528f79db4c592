"""Pretraining methods: a module and a TOML each."""
