"""From what was read to the calls that read it: within the recipe's limits, without private values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from db.jobs import NewStep
from db.models import Job, Passage
from tasks import counting, items, plan
from tasks.catalogue import LANGUAGES
from tasks.linefile import Server
from tasks.prepare import inputs, search
from tasks.prepare.impossible import Impossible
from tasks.prepare.inputs import Material
from tasks.recipes import Recipe, form
from tasks.resources import Resources
from tasks.text import paste, redact
from tasks.text.document import Document, Picture


@dataclass(frozen=True)
class Planned:
    """What a request comes to: its first calls, the plan in numbers, and the tables whose rows are its items, or the passages of
    its text."""

    recipe: Recipe
    question: str | None
    steps: Sequence[NewStep]
    outline: dict[str, Any]
    sources: Sequence[items.Source]
    passages: Sequence[Passage]

    @property
    def held(self) -> bool:
        """Whether it takes more calls than its recipe makes unasked."""
        return bool(self.outline["calls"] > self.recipe.max_calls)


def of(
    resources: Resources,
    job: Job,
    recipe: Recipe,
    made: Material,
    server: Server,
    redaction: redact.Redaction,
) -> Planned:
    """The plan for what was read. Raises Impossible."""
    question = _in_language(recipe, made.question, job.answer_language)
    command = resources.settings.slack_command
    example = {language: recipe.example_of(language, command) for language in LANGUAGES}
    if recipe.needs_question and not question:
        raise Impossible("no_question", recipe=recipe.name, example=example)
    if recipe.takes_names:
        _check_names(recipe, question, example)
    # From here on the model's words alone: neither steps nor results hold a value.
    question = question and redaction.text(question)
    documents = [redaction.document(_with_pasted(document)) for document in made.documents]
    count = counting.Counter(resources.http, server.url, server.api_key, server.model)
    pictures = [picture for document in documents for picture in document.pictures]
    # Any call may come to show all of them.
    context = server.context - sum(picture.tokens for picture in pictures)
    found: search.Found | None = None
    try:
        searched = recipe.passages and question and not pictures
        if searched and question and not plan.fits(recipe, documents, question, context, count):
            plan.check(recipe, documents, question, context, count)
            room = plan.passages_room(recipe, question, context)
            found = search.find(resources, job, server, documents, question, room)
        if found is not None:
            steps = plan.from_passages(recipe, found.text, question, context)
        else:
            steps = plan.first_steps(recipe, documents, question, context, count)
        outline = plan.outline(recipe, steps, question, context)
    except plan.TooLong as error:
        raise Impossible("too_long", recipe=recipe.name, tokens=error.tokens, limit=error.limit) from error
    except plan.TooManyItems as error:
        raise Impossible(
            "too_many_items", recipe=recipe.name, items=error.items, limit=error.limit
        ) from error
    except plan.ContextTooSmall as error:
        raise Impossible("context_small", recipe=recipe.name, tokens=error.context_tokens) from error
    new = [_new(recipe, step, pictures) for step in steps]
    if found is not None:
        outline |= {"parts": len(found.rows), "items": found.chosen}
    rows = found.rows if found is not None else ()
    return Planned(recipe, question, new, outline, items.sources(documents, recipe.each), rows)


def _new(recipe: Recipe, step: plan.StepSpec, pictures: Sequence[Picture]) -> NewStep:
    """A step, with the pictures whose marks stand in its text."""
    text = step.messages[-1]["content"]
    shown = [
        (inputs.mark(number), picture)
        for number, picture in enumerate(pictures, 1)
        if inputs.mark(number) in text
    ]
    kept = [{"mark": mark, "url": picture.url, "tokens": picture.tokens} for mark, picture in shown]
    new = NewStep(temperature=recipe.temperature, **vars(step), pictures=kept or None)
    return replace(new, tokens_in=step.tokens_in + sum(picture.tokens for _, picture in shown))


def _with_pasted(document: Document) -> Document:
    """A text with the table that somebody pasted into it, if it is one."""
    if document.kind not in {"text", "thread"}:
        return document
    return replace(paste.read(document.text, document.kind), name=document.name)


def _check_names(recipe: Recipe, question: str | None, example: dict[str, str]) -> None:
    """Labels to choose among are two at least; a model loses sight of very many names, or of long ones."""
    names = form.names(question)
    if recipe.takes_names == "labels" and len(names) < 2:
        raise Impossible("no_labels", recipe=recipe.name, example=example)
    if not names:
        raise Impossible("no_fields", recipe=recipe.name, example=example)
    if len(names) > form.MOST_NAMES or max(map(len, names)) > form.LONGEST_NAME:
        raise Impossible("names", recipe=recipe.name, most=form.MOST_NAMES, longest=form.LONGEST_NAME)


def _in_language(recipe: Recipe, question: str | None, language: str | None) -> str | None:
    """The question with the language to answer in, where the person chose one; the model reads English names."""
    if language is None:
        return question
    name = {"en": "English", "ko": "Korean"}[language]
    if recipe.takes_language:
        return question or name
    return "\n".join(part for part in (question, f"Answer in {name}.") if part)
