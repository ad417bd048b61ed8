"""The cause of a refusal, by its codes and words: the mail, the sender, the account or the server. Pure.

Providers use enhanced status codes (RFC 3463) differently, so the words are read as well. Both were collected
from what users of mail programs have reported.
"""

import re

from cavecron.mail.smtp.errors import RefusedError, Step

#: The account has reached its sending quota: Gmail's 5.4.5, Exchange's 5.1.90, and words of others.
_QUOTA = re.compile(
    rb"\b5\.4\.5\b|\b5\.1\.90\b|SubmissionQuotaExceeded"
    rb"|\b(?:daily|hourly|sending|send|hour|24-hour|outgoing|outbound)\W+(?:\w+\W+){0,3}(?:limit|quota)\b"
    rb"|\bper (?:day|hour|24 ?h)",
    re.IGNORECASE,
)
#: The recipient's mailbox is full (x.2.2), or the message too big: only this mail is concerned.
_ONE_MAIL = re.compile(rb"\b[45]\.2\.[12]\b|\bmailbox\b|\bsize\b|too (?:big|large)", re.IGNORECASE)

#: The account may not use this sender: Postfix says so after the recipient, Exchange after the message.
_SENDER = re.compile(
    rb"not owned by|\b5\.7\.60\b|permissions? to send as|sender (?:address |verify )?(?:rejected|failed)"
    rb"|not (?:allowed|permitted|authori[sz]ed) to send (?:as|from|mail from)",
    re.IGNORECASE,
)
_RELAY = re.compile(rb"relay(?:ing)? (?:access |is )?(?:denied|not )|unable to relay", re.IGNORECASE)
_HELO = re.compile(rb"\b(?:helo|ehlo)\b|fully.qualified host", re.IGNORECASE)
#: A temporary refusal because of the server's load or our rate: a code of its state or of its policy
#: (RFC 3463, 3.4 and 3.8), or words if there is no code. Greylisting is policy too, but goes by recipient.
_GREYLISTED = re.compile(rb"gr[ae]y-?\s?list", re.IGNORECASE)
_CODED, _CODED_BUSY = re.compile(rb"^4\.\d+\.\d+", re.MULTILINE), re.compile(rb"^4\.[37]\.\d", re.MULTILINE)
_WORDED_BUSY = re.compile(rb"\btoo (many|much|fast)\b|\brate\b|throttl|slow down|\bbusy\b", re.IGNORECASE)


def is_quota(error: RefusedError) -> bool:
    """Return whether the account has reached its sending quota."""
    return bool(_QUOTA.search(error.reply)) and not _ONE_MAIL.search(error.reply)


def is_about_relay(error: RefusedError) -> bool:
    """Return whether the server refuses to relay mails to other domains without authentication."""
    return error.step in (Step.RECIPIENT, Step.CONTENT, Step.DATA_REPLY) and bool(_RELAY.search(error.reply))


def is_about_ehlo(error: RefusedError) -> bool:
    """Return whether this machine's name in EHLO is refused."""
    return error.step is Step.HELLO or bool(_HELO.search(error.reply))


def is_about_sender(error: RefusedError) -> bool:
    """Return whether the sender is refused; code 552 is about the size of the mail at every step."""
    if error.step is Step.SENDER:
        return error.code != 552
    return bool(_SENDER.search(error.reply))


def is_for_everybody(error: RefusedError) -> bool:
    """Return whether a setting is wrong, so that other mails will be refused as well."""
    return is_about_sender(error) or is_about_relay(error) or is_about_ehlo(error)


def is_busy(error: RefusedError) -> bool:
    """Return whether a temporary refusal is about the server's load or our rate, not about the recipient."""
    if _GREYLISTED.search(error.reply):
        return False
    return bool((_CODED_BUSY if _CODED.search(error.reply) else _WORDED_BUSY).search(error.reply))
