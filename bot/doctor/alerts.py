"""Whether operators would hear of trouble."""

from bot.doctor.finding import Findings, note, ok, problem
from tasks import alerts, mailserver
from tasks.resources import Resources


def examine(resources: Resources) -> Findings:
    """The mail server takes us in; no mail is sent. The channel is looked at with the others (bot.doctor.slack)."""
    if not alerts.ways(resources):
        yield note("alerts", "doctor.alerts_nowhere")
        return
    url = resources.settings.alert_smtp_url.get_secret_value()
    if not url:
        return
    server = mailserver.parse(url)
    try:
        mailserver.greet(server)
    except mailserver.NotSent as error:
        yield problem(
            "alerts.mail", "doctor.mail_refused", reason=str(error), host=server.host, port=server.port
        )
        return
    yield ok("alerts.mail", "doctor.mail", host=server.host, count=len(server.to))
