"""Vectors without a model: the words of a text, each in a place that its spelling chooses."""

import zlib

from playground.model.language import Tokenizer

LENGTH = 256


def vector(text: str) -> list[float]:
    """How often words stand in a text, by a checksum of them; texts that share words point the same way."""
    places = [0.0] * LENGTH
    for word in Tokenizer().to_words(text):
        places[zlib.crc32(word.encode()) % LENGTH] += 1.0
    return places
