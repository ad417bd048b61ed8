"""How to reach a mail server. Pure: it does not know where that is stored."""

from dataclasses import dataclass, field
from typing import Literal

Security = Literal["tls", "starttls", "plain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpConfig:
    """How to reach the mail server; `timeout` in seconds for each step.

    `security` is "tls" from the first byte, "starttls" (which must succeed) or "plain". There is a
    login exactly when neither `username` nor `password` is None.
    """

    id: int
    name: str
    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)
    security: Security
    sender_email: str
    sender_name: str
    timeout: float
