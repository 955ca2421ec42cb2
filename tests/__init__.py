"""Tests mirror the house: tests/domain/test_money.py speaks about domain/money.py."""
