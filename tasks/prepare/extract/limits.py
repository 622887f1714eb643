"""How much of one file is read. Whoever is refused for one of these is told it, and their file's own number."""

MB = 1_000_000

FILE_BYTES = 50 * MB
# What a ZIP, and so an office file, may grow to when it is unpacked; real ones grow 3 to 20 times.
UNPACKED_BYTES = 300 * MB
RATIO = 200
# Below this, a ratio says nothing: a page of zeros is no bomb.
SMALL_BYTES = 10 * MB
ENTRIES = 100
# Office files hold a part for each picture and slide.
PARTS = 20_000

PAGES = 2_000
# One takes about 3 s of a core, and 2 s more where words are read again.
SCANNED_PAGES = 40
CELLS = 3_000_000
# A4 at 600 dpi in colour has 35 million.
PIXELS = 50_000_000

# The child's own limits. With less, tesseract cannot load two languages.
MEMORY_BYTES = 512 * 1024 * 1024
SECONDS = 240
# What it writes for its parent, and what it may unpack.
WRITTEN_BYTES = 400 * MB
