"""What notices say to people, in German."""

from __future__ import annotations

from datetime import UTC, datetime

from mailsuite.delivery.dsn_reasons import Reason
from mailsuite.delivery.dsn_texts import Advice, Texts, rounded

_MONTHS = (
    *("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli"),
    *("August", "September", "Oktober", "November", "Dezember"),
)
_UNITS = {"day": ("Tag", "Tage"), "hour": ("Stunde", "Stunden"), "minute": ("Minute", "Minuten")}


def _moment(seconds: float) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at.day}. {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M} UTC"


def _span(seconds: float) -> str:
    number, unit = rounded(seconds)
    return f"{number} {_UNITS[unit][number != 1]}"


def _others(count: int) -> str:
    return "und eine weitere" if count == 1 else f"und {count} weitere"


_ASK = "Stimmt sie, dann fragen Sie die Person auf anderem Weg, welche Adresse jetzt gilt."
_FORWARD = "leiten Sie diese Nachricht an {postmaster} weiter; dort lässt sich mehr herausfinden."

GERMAN = Texts(
    tag="de",
    daemon="Mailserver",
    moment=_moment,
    span=_span,
    others=_others,
    failed_subject="Nicht zugestellt: Ihre Nachricht an {names}",
    delayed_subject="Verzögert, wird weiter versucht: Ihre Nachricht an {names}",
    delivered_subject="Zugestellt: Ihre Nachricht an {names}",
    passed_on_subject="Weitergegeben: Ihre Nachricht an {names}",
    lost_subject="Niemand erreichbar: eine Nachricht an {names} ist gescheitert",
    copy_subject="Kopie: eine Nachricht von {sender} an {names}",
    failed_one="Ihre Nachricht konnte nicht zugestellt werden. Unten steht, warum nicht, und was Sie tun "
    "können.",
    failed="Ihre Nachricht konnte nicht allen zugestellt werden, für die sie bestimmt war. Unten steht, "
    "wen sie nicht erreicht hat, warum nicht, und was Sie tun können.",
    delayed="Ihre Nachricht ist unterwegs, aber noch nicht überall angekommen. Sie müssen nichts tun und "
    "sie nicht noch einmal senden: Dieser Server versucht es von selbst weiter.",
    delivered="Sie wollten es wissen: Ihre Nachricht ist angekommen.",
    passed_on="Sie wollten es wissen: Ihre Nachricht wurde dem nächsten Mailserver übergeben. Dieser "
    "meldet keine Zustellungen; Sie hören nur noch davon, wenn etwas schiefgeht.",
    lost="Eine Nachricht konnte nicht zugestellt werden, und wer sie gesendet hat, kann es nicht erfahren: "
    "Sie hat keine Absenderadresse, wie alle Meldungen von Mailservern, oder die Adresse funktioniert "
    "nicht. Sie erhalten sie als Postmaster dieses Servers, damit sie nicht ungesehen verloren geht. Oft "
    "ist sie eine Meldung an jemanden, dessen Adresse gefälscht war, und nichts ist zu tun. Nennt sie eine "
    "Ihrer Adressen, dann kann sie auf einen Fehler in der Konfiguration hinweisen.",
    copy="Dies ist die Kopie einer Meldung an den Absender der Nachricht. Sie erhalten sie, weil dieser "
    "Server dem Postmaster Kopien sendet.",
    subject_line="Betreff:        ",
    arrived_line="Eingegangen:    ",
    reference_line="Unser Zeichen:  ",
    sender_line="Absender:       ",
    said="{host} hat gesagt:",
    noted="Dieser Server hat festgehalten:",
    todo="Was Sie tun können: ",
    expired="Dieser Server hat es {span} lang versucht und gibt nun auf. Der letzte Versuch endete so:",
    retry_until="Es wird bis {moment} weiter versucht. Gelingt es bis dahin nicht, dann erfahren Sie es.",
    retry="Es wird weiter versucht. Gelingt es am Ende nicht, dann erfahren Sie es.",
    in_mailbox="Sie liegt im Postfach. Ob sie jemand gelesen hat, ist nicht bekannt.",
    handed_over="Sie wurde {host} übergeben.",
    expanded="Die Adresse steht für mehrere Personen, und die Nachricht ist auf dem Weg zu ihnen. Erreicht "
    "sie eine davon nicht, dann erfahren Sie es.",
    returned_whole="Die Nachricht ist angehängt.",
    returned_header="Der Kopf der Nachricht ist angehängt, ihr Text nicht.",
    returned_nothing="Die Nachricht ist nicht angehängt, weil sie nicht mehr gelesen werden konnte.",
    more="{count} weitere Adressen stehen im angehängten Bericht.",
    signature="Der Mailserver {hostname} hat dies von selbst geschrieben. Der angehängte Bericht sagt "
    "dasselbe für Programme und Administratoren. Fragen: {postmaster}",
    digest_subject="Nicht weitergeleitete Nachrichten: {count}",
    digest="Nachrichten von außerhalb konnten nicht weitergeleitet werden. Wer sie gesendet hat, erfährt "
    "es nicht, weil niemand weiß, ob die Absenderadresse echt ist: Eine Meldung ginge vielleicht an "
    "jemanden, dessen Adresse gefälscht wurde. Scheitert eine Weiterleitung immer wieder, dann sehen Sie "
    "sich den Alias oder das Konto an, das dorthin führt.",
    digest_more="{count} weitere stehen im Log, unter dem Ereignis notice.withheld.",
    to="an",
    advice={
        Reason.UNKNOWN_MAILBOX: Advice(
            "Unter diesem Namen gibt es bei {domain} kein Postfach.",
            "Prüfen Sie die Adresse auf Tippfehler und senden Sie die Nachricht noch einmal an die "
            "richtige. " + _ASK,
        ),
        Reason.BAD_ADDRESS: Advice(
            "Der Mailserver von {domain} hält das nicht für eine Adresse.",
            "Prüfen Sie die Adresse auf Tippfehler, etwa ein Zeichen zu viel oder zu wenig. " + _ASK,
        ),
        Reason.MOVED: Advice(
            "Die Person hat jetzt eine andere Adresse.",
            "Sehen Sie nach, ob die Antwort unten sie nennt. Sonst fragen Sie die Person auf anderem Weg.",
        ),
        Reason.MAILBOX_OFF: Advice(
            "Dieses Postfach gibt es, aber es nimmt keine Nachrichten an.",
            "Fragen Sie die Person auf anderem Weg. Vielleicht wurde das Konto geschlossen, und es gibt "
            "eine andere Adresse.",
        ),
        Reason.MAILBOX_FULL: Advice(
            "Das Postfach ist voll.",
            "Sagen Sie der Person auf anderem Weg, dass ihr Postfach voll ist, und senden Sie die "
            "Nachricht noch einmal, wenn wieder Platz ist.",
        ),
        Reason.UNKNOWN_DOMAIN: Advice(
            "Eine Mail-Domain namens {domain} gibt es nicht.",
            "Prüfen Sie, was hinter dem @ steht, auf Tippfehler, und senden Sie die Nachricht noch einmal "
            "an die richtige Adresse. " + _ASK,
        ),
        Reason.NO_MAIL_DOMAIN: Advice(
            "{domain} nimmt überhaupt keine Mail an und sagt das auch selbst.",
            "Prüfen Sie, was hinter dem @ steht, auf Tippfehler. " + _ASK,
        ),
        Reason.TOO_LARGE: Advice(
            "Die Nachricht ist größer, als der Mailserver von {domain} erlaubt.",
            "Senden Sie sie noch einmal mit kleineren Anhängen oder in Teilen, oder legen Sie die Dateien "
            "so ab, dass man sie abholen kann, und senden Sie den Link.",
        ),
        Reason.BLOCKED: Advice(
            "Der Mailserver von {domain} hat die Nachricht nach seinen eigenen Regeln abgelehnt. Das "
            "geschieht mit Nachrichten, die er für Spam hält, und mit solchen von Servern, denen er nicht "
            "traut.",
            "Lesen Sie unten, was er sagt; oft steht dort, was nicht stimmt, oder wo man das nachlesen "
            "kann. Dieselbe Nachricht noch einmal zu senden hilft kaum. Sagen Ihnen seine Worte nichts, "
            "dann " + _FORWARD,
        ),
        Reason.RELAYING: Advice(
            "Der gefragte Server sagt, dass ihn Mail für {domain} nichts angeht.",
            "Prüfen Sie, was hinter dem @ steht, auf Tippfehler. Stimmt es, dann liegt der Fehler bei "
            "denen, die die Server betreiben: Bitte " + _FORWARD,
        ),
        Reason.NOT_ALLOWED: Advice(
            "Sie dürfen nicht an diese Adresse schreiben. Das sagen zum Beispiel Mailinglisten, die nur "
            "von ihren Mitgliedern etwas annehmen.",
            "Fragen Sie, wer die Adresse oder die Liste betreut, wie und von welcher Ihrer Adressen man "
            "dorthin schreibt.",
        ),
        Reason.SENDER_REFUSED: Advice(
            "Der Mailserver von {domain} glaubt nicht, dass die Nachricht von Ihrer Adresse kommt, oder "
            "nimmt von dort nichts an.",
            "Das müssen die in Ordnung bringen, die Ihre Mail-Domain betreiben: Bitte " + _FORWARD,
        ),
        Reason.LOGIN: Advice(
            "Der nächste Mailserver wollte eine Anmeldung und hat unsere nicht angenommen.",
            "Das müssen die in Ordnung bringen, die diesen Server betreiben: Bitte " + _FORWARD,
        ),
        Reason.TLS: Advice(
            "Die Nachricht muss verschlüsselt reisen, und dafür gab es zum Mailserver von {domain} keinen "
            "sicheren Weg.",
            "Haben Sie die Verschlüsselung selbst verlangt, dann senden Sie die Nachricht noch einmal "
            "ohne, sofern das genügt. Sonst " + _FORWARD,
        ),
        Reason.LOOP: Advice(
            "Die Nachricht ging von Server zu Server im Kreis.",
            "Das müssen die in Ordnung bringen, die die Server betreiben: Bitte " + _FORWARD,
        ),
        Reason.DNS: Advice(
            "Das Domain Name System gibt keine Auskunft über {domain}.",
            "Prüfen Sie, was hinter dem @ steht, auf Tippfehler. Stimmt es, dann senden Sie die Nachricht "
            "später noch einmal: Oft geht so etwas vorüber.",
        ),
        Reason.UNREACHABLE: Advice(
            "Kein Mailserver von {domain} war erreichbar.",
            "Prüfen Sie, was hinter dem @ steht, auf Tippfehler. Stimmt es, dann senden Sie die Nachricht "
            "später noch einmal, oder sagen Sie der Person auf anderem Weg Bescheid.",
        ),
        Reason.UNICODE: Advice(
            "Die Nachricht hat eine Adresse oder einen Kopf mit Buchstaben, die der Mailserver von "
            "{domain} nicht annehmen kann.",
            "Senden Sie sie noch einmal, und zwar nur mit Adressen aus einfachen Buchstaben (a bis z). "
            "Haben Sie keine solche, dann fragen Sie die Person danach.",
        ),
        Reason.CONTENT: Advice(
            "Der Mailserver von {domain} kann eine Nachricht dieser Art nicht annehmen.",
            "Lesen Sie unten, was er sagt. Vielleicht hilft es, Anhänge wegzulassen oder reinen Text zu "
            "senden.",
        ),
        Reason.BUSY: Advice(
            "Der Mailserver von {domain} hat die Nachricht gerade nicht angenommen.",
            "Senden Sie sie später noch einmal, oder sagen Sie der Person auf anderem Weg Bescheid. Bleibt "
            "es so, dann " + _FORWARD,
        ),
        Reason.REFUSED: Advice(
            "Der Mailserver von {domain} hat die Nachricht nicht angenommen.",
            "Lesen Sie unten, was er sagt. Prüfen Sie die Adresse auf Tippfehler. Werden Sie daraus nicht "
            "klug, dann " + _FORWARD,
        ),
        Reason.OURS: Advice(
            "Dieser Server konnte die Nachricht nicht senden.",
            "Helfen Ihnen die Worte unten nicht, dann " + _FORWARD,
        ),
    },
)
