"""What a server's refusal is about, by its codes and words: the mail, the sender, or everybody.

Pure. Enhanced status codes (RFC 3463) mean little from one provider to the next, so their words count too;
both were collected from what users of mail programs have reported.
"""

import re

from cavecron.mail.smtp.errors import RefusedError, Step

#: How much an account may send: Gmail's 5.4.5, Exchange's 5.1.90 and its store, and what others say.
_QUOTA = re.compile(
    rb"\b5\.4\.5\b|\b5\.1\.90\b|SubmissionQuotaExceeded"
    rb"|\b(?:daily|hourly|sending|send|hour|24-hour|outgoing|outbound)\W+(?:\w+\W+){0,3}(?:limit|quota)\b"
    rb"|\bper (?:day|hour|24 ?h)",
    re.IGNORECASE,
)
#: A mailbox that is full (x.2.2), and a message that is too big, are about this mail.
_ONE_MAIL = re.compile(rb"\b[45]\.2\.[12]\b|\bmailbox\b|\bsize\b|too (?:big|large)", re.IGNORECASE)

#: Who may send as whom: Postfix says so at the recipient, Exchange after the message.
_SENDER = re.compile(
    rb"not owned by|\b5\.7\.60\b|permissions? to send as|sender (?:address |verify )?(?:rejected|failed)"
    rb"|not (?:allowed|permitted|authori[sz]ed) to send (?:as|from|mail from)",
    re.IGNORECASE,
)
_RELAY = re.compile(rb"relay(?:ing)? (?:access |is )?(?:denied|not )|unable to relay", re.IGNORECASE)
_HELO = re.compile(rb"\b(?:helo|ehlo)\b|fully.qualified host", re.IGNORECASE)


def is_quota(error: RefusedError) -> bool:
    """Return whether the account has sent as much as it may, for now."""
    return bool(_QUOTA.search(error.reply)) and not _ONE_MAIL.search(error.reply)


def is_about_relay(error: RefusedError) -> bool:
    """Return whether the server carries mails to others only for whom it knows."""
    return error.step in (Step.RECIPIENT, Step.CONTENT, Step.DATA_REPLY) and bool(_RELAY.search(error.reply))


def is_about_ehlo(error: RefusedError) -> bool:
    """Return whether the name is refused that this machine gives itself."""
    return error.step is Step.HELLO or bool(_HELO.search(error.reply))


def is_about_sender(error: RefusedError) -> bool:
    """Return whether the sender is refused; 552 is about the size of the mail, wherever it is said."""
    if error.step is Step.SENDER:
        return error.code != 552
    return bool(_SENDER.search(error.reply))


def is_for_everybody(error: RefusedError) -> bool:
    """Return whether a setting is wrong, so that other mails will be refused as well."""
    return is_about_sender(error) or is_about_relay(error) or is_about_ehlo(error)
