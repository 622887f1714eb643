"""Pure work on text that more than one stage needs: cleaning, counting, cutting. No I/O."""
