"""Names that travel through Slack and come back: of buttons, shortcuts, and what a button carries."""

from dataclasses import dataclass

RETRY = "retry"
CANCEL = "cancel"
CONFIRM = "confirm"
ANALYZE_MESSAGE = "analyze_message"
NEW_ANALYSIS = "new_analysis"
OPEN_FORM = "open_form"
SET_LANGUAGE = "set_language"
SET_RECIPE = "set_recipe"
SET_MENTION = "set_mention"
DELETE_DATA = "delete_data"
AGAIN = "again"
SAVE = "save"
SHARE = "share"
FEEDBACK = "feedback"


@dataclass(frozen=True)
class Attempt:
    """Which attempt of which job a button belongs to."""

    job_id: str
    number: int

    def __str__(self) -> str:
        return f"{self.job_id}:{self.number}"

    @classmethod
    def parse(cls, value: str) -> "Attempt":
        """The attempt that a button carried; ValueError for anything else."""
        job_id, _, number = value.partition(":")
        return cls(job_id, int(number))
