"""Owners' words: each order as it is written in Slack and at a terminal, and what is no order."""

import pytest

from bot.owners import orders, words
from bot.owners.words import Order, Unclear
from tasks.catalogue import LANGUAGES, keys


def given(text: str) -> dict[str, str]:
    return dict(words.parse(text).given)


@pytest.mark.parametrize(
    ("text", "verb", "means"),
    [
        ("pause main", "pause", {"backend": "main"}),
        ("Pause  main  Back at noon,\n sorry", "pause", {"backend": "main", "says": "Back at noon, sorry"}),
        ("resume main", "resume", {"backend": "main"}),
        ("drain", "drain", {}),
        ("drain off", "drain", {"off": "off"}),
        ("drain offices move today", "drain", {"says": "offices move today"}),
        ("requeue 0123456789ab", "requeue", {"job": "0123456789ab"}),
        ("requeue `0123456789ab`", "requeue", {"job": "0123456789ab"}),
        ("allow everyone", "allow", {"whom": "everyone"}),
        ("disallow guests", "disallow", {"whom": "guests"}),
        ("allow T0123", "allow", {"workspace": "T0123"}),
        ("allow <!subteam^S0RED|@red>", "allow", {"group": "S0RED"}),
        ("disallow S0RED", "disallow", {"group_id": "S0RED"}),
        ("redaction off", "redaction", {"how": "off"}),
        ("redaction none T0123", "redaction", {"how": "none", "workspace": "T0123"}),
        ("streaming on", "streaming", {"how": "on"}),
        ("streaming none T0123", "streaming", {"how": "none", "workspace": "T0123"}),
        ("replies on", "replies", {"how": "on"}),
        ("replies off everyone", "replies", {"how": "off", "whom": "everyone"}),
        ("replies on <#C1A|x>", "replies", {"how": "on", "channel": "C1A"}),
        ("audit", "audit", {}),
        ("audit 30", "audit", {"most": "30"}),
        ("stats", "stats", {}),
        ("stats waits", "stats", {"of": "waits"}),
        ("rules", "rules", {}),
        ("recipe off haiku <#C1A|x>", "recipe", {"how": "off", "recipe": "haiku", "channel": "C1A"}),
        ("recipe new", "recipe", {"change": "new"}),
        ("recipe edit haiku", "recipe", {"change": "edit", "own": "haiku"}),
        ("recipe delete 하이쿠 T0A", "recipe", {"change": "delete", "own": "하이쿠", "workspace": "T0A"}),
        ("recipe new my own.toml T0A", "recipe", {"change": "new", "own": "my own.toml", "workspace": "T0A"}),
        ("recipe list", "recipe", {"all": "list"}),
    ],
)
def test_orders(text, verb, means):
    """Spaces and the verb's case do not count."""
    order = words.parse(text)
    assert (order.verb, dict(order.given)) == (verb, means)


@pytest.mark.parametrize("who", ["<@U0ADA|ada>", "<@U0ADA>", "U0ADA"])
def test_people_as_slack_writes_them_and_by_id(who):
    """A mention in a command arrives as markup."""
    assert words.parse(f"ban {who}").person == "U0ADA"
    assert words.parse(f"admins add {who}").person == "U0ADA"


def test_services_of_the_api_are_people_too():
    """By their token's name."""
    assert words.parse("quota api:reports requests 100").person == "reports"


@pytest.mark.parametrize("where", ["<#C0GENERAL|general>", "<#C0GENERAL>", "C0GENERAL"])
def test_channels_as_slack_writes_them_and_by_id(where):
    """Private ones too."""
    order = words.parse(f"recipe off translate {where}")
    assert (order.channel, order.given["recipe"], order.given["how"]) == ("C0GENERAL", "translate", "off")


def test_quotas_and_priorities():
    """Of a person, a channel or everyone; `none` takes them back."""
    assert given("quota everyone requests 20") == {"whom": "everyone", "of": "requests", "most": "20"}
    assert given("quota <#C1A|x> tokens none") == {"channel": "C1A", "of": "tokens", "most": "none"}
    assert given("priority U0ADA 0") == {"user_id": "U0ADA", "priority": "0"}
    assert given("priority G0SECRET none") == {"channel_id": "G0SECRET", "priority": "none"}


@pytest.mark.parametrize("text", ["", "help", "pauses main", "the report"])
def test_what_begins_with_no_verb(text):
    """The whole help is the answer."""
    with pytest.raises(Unclear) as unclear:
        words.parse(text)
    assert unclear.value.verb is None
    assert not words.begins_with_verb(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "pause",
            "resume main now",
            "requeue 1",
            "ban",
            "ban ada",
            "ban @ada",
            "allow",
            "disallow everyone",
        ),
        *("admins <@U0ADA>", "quota <@U0ADA> requests", "quota everyone requests -1", "priority everyone 0"),
        *(
            "priority U0ADA 3",
            "recipe off",
            "recipe maybe translate",
            "recipe edit two words",
            "recipe list all",
            "redaction",
            "redaction on C1AA",
            "stats now",
            "audit 100",
            "replies",
        ),
        *("quota everyone requests 12345678901", "pause Main", f"pause main {'x' * 301}"),
    ],
)
def test_an_order_that_is_written_wrong(text):
    """How it is written right is the answer."""
    with pytest.raises(Unclear) as unclear:
        words.parse(text)
    assert unclear.value.verb == text.split(maxsplit=1)[0]
    assert words.begins_with_verb(text)


def test_every_verb_is_carried_out_and_explained():
    """In each language; a verb that only looks needs no carrying out."""
    assert set(words.VERBS) == set(orders._VERBS) | words.LOOKS
    for language in LANGUAGES:
        assert {f"admin.use_{verb}" for verb in words.VERBS} <= keys(language)


def test_a_form_is_for_making_and_for_changing_by_name():
    """All else is answered in words, an edit of nothing among it."""
    assert all(words.wants_form(text) for text in ("recipe new", "recipe edit haiku"))
    for text in ("recipe edit", "recipe new haiku", "recipe delete haiku", "recipe list", "pause main", "x"):
        assert words.wants_form(text) is None


def test_the_words_are_kept_for_the_audit():
    """As they were written."""
    assert words.parse("ban <@U0ADA|ada>") == Order("ban", {"user": "U0ADA"}, "ban <@U0ADA|ada>")


@pytest.mark.parametrize(
    ("scope", "shown"),
    [
        ("person:U0ADA", "<@U0ADA>"),
        ("person:reports", "`reports`"),
        ("channel:C1", "<#C1>"),
        ("group:S1", "<!subteam^S1>"),
        ("workspace:T1", "`T1`"),
        ("everyone", "`everyone`"),
    ],
)
def test_scopes_are_shown_as_people_know_them(scope, shown):
    """Slack makes names of ids."""
    assert orders.named(scope) == shown
