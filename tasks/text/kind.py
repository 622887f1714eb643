"""The kinds of private values."""

from enum import StrEnum


class Kind(StrEnum):
    """A kind of value; its word stands in the placeholder."""

    RESIDENT = "RESIDENT"
    SSN = "SSN"
    PHONE = "PHONE"
    ACCOUNT = "ACCOUNT"
    CARD = "CARD"
    BUSINESS = "BUSINESS"
    PASSPORT = "PASSPORT"
    LICENCE = "LICENCE"
    EMAIL = "EMAIL"
    IP = "IP"
    KEY = "KEY"
