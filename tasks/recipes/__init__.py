"""The analyses that people can ask for: one TOML file each, and how a command names one.

Adding a recipe is adding a file; its keys are those of `Recipe`.
"""

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

from tasks.recipes.command import Asked, parse, split_request
from tasks.recipes.recipe import Recipe, RecipeError, key, letters, read
from tasks.tomlfile import Problem, line_of

__all__ = ["Asked", "Recipe", "RecipeError", "Recipes", "load", "split_request"]

_HERE = Path(__file__).parent
_LIKE = 0.6  # difflib's own default for "close"


class Recipes:
    """All recipes, by name. `default` is the one for people who name none."""

    def __init__(self, recipes: list[Recipe]) -> None:
        self._recipes = {recipe.name: recipe for recipe in recipes}
        self._words = {key(word): recipe for recipe in recipes for word in (recipe.name, *recipe.aliases)}
        self.default = next(recipe for recipe in recipes if recipe.default)

    def also(self, own: Iterable[Recipe]) -> "Recipes":
        """These and the owners' own: no word of these is taken over, and earlier ones go before later ones."""
        more = Recipes([*self])
        for recipe in own:
            if recipe.name not in more._recipes and key(recipe.name) not in more._words:
                more._recipes[recipe.name] = recipe
                for word in (recipe.name, *recipe.aliases):
                    more._words.setdefault(key(word), recipe)
        return more

    def __iter__(self) -> Iterator[Recipe]:
        return iter(self._recipes.values())

    def names(self) -> list[str]:
        """The names, the default first, then by alphabet."""
        return sorted(self._recipes, key=lambda name: (name != self.default.name, name))

    def get(self, name_or_alias: str) -> Recipe | None:
        """The recipe of that name; case, Unicode form and hyphens do not count."""
        return self._words.get(key(name_or_alias))

    def called(self, name: str, language: str) -> str:
        """What to call the recipe `name` when speaking with somebody; an unknown one by the name it was given."""
        recipe = self.get(name)
        return recipe.called(language) if recipe else name

    def closest(self, word: str, at_least: float = _LIKE) -> str | None:
        """The name of the recipe whose name or alias looks most like `word` (difflib ratio, 0 to 1)."""
        spelled = {letters(known): recipe.name for known, recipe in self._words.items()}
        found = difflib.get_close_matches(letters(key(word)), spelled, 1, at_least)
        return spelled[found[0]] if found else None

    def alternatives(self, word: str) -> dict[str, str]:
        """For somebody who wrote `word`: the closest name, or else the default's, and all names."""
        return {"closest": self.closest(word) or self.default.name, "recipes": ", ".join(self.names())}

    def parse_command(self, text: str) -> Asked:
        """What `/analyze <recipe> <text>` asks for (see `command.parse`)."""
        return parse(self, text)


def load(folder: Path | None = None) -> Recipes:
    """The recipes in the `*.toml` files of `folder`, by default the ones that come with the product.

    Raises RecipeError, which names every broken file with its line.
    """
    folder = folder or _HERE
    recipes: dict[Path, Recipe] = {}
    problems: list[Problem] = []
    for file in sorted(folder.glob("*.toml")):
        try:
            recipes[file] = read(file)
        except RecipeError as error:
            problems += error.problems
    problems += _clashes(recipes)
    if not problems and not recipes:
        problems.append(Problem(folder, 1, "there is no recipe file (*.toml) in this folder."))
    elif not problems and not any(recipe.default for recipe in recipes.values()):
        problems.append(Problem(folder, 1, "no recipe has `default = true`; one must."))
    if problems:
        raise RecipeError(problems)
    return Recipes(list(recipes.values()))


def _clashes(recipes: dict[Path, Recipe]) -> Iterator[Problem]:
    """Words that two files use, or one file twice, and a second default."""
    taken: dict[str, Path] = {}
    default: Path | None = None
    for file, recipe in recipes.items():
        for where, word in [("name", recipe.name), *(("aliases", alias) for alias in recipe.aliases)]:
            first = taken.setdefault(key(word), file)
            if first != file or (where == "aliases" and _repeated(recipe, word)):
                yield _clash(file, where, f"'{word}' is already a name or an alias in {first.name}.")
        if recipe.default and default:
            yield _clash(file, "default", f"a second `default = true`; the first is in {default.name}.")
        default = default or (file if recipe.default else None)


def _repeated(recipe: Recipe, word: str) -> bool:
    return [key(each) for each in (recipe.name, *recipe.aliases)].count(key(word)) > 1


def _clash(file: Path, where: str, says: str) -> Problem:
    return Problem(file, line_of(file.read_text("utf-8-sig"), (where,)), says)
