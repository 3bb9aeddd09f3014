"""Churn: requests that complete while others are cancelled. `part` says what is measured."""
