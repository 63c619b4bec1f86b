"""Hands in the message on standard input with smtplib: submit.py HOST PORT USER PASSWORD FROM TO..."""

import smtplib
import sys

host, port, user, password, sender, *recipients = sys.argv[1:]
with smtplib.SMTP(host, int(port), timeout=60) as smtp:
    try:
        smtp.login(user, password)
        smtp.sendmail(sender, recipients, sys.stdin.buffer.read())
    except smtplib.SMTPResponseException as error:
        sys.exit(f"{error.smtp_code} {error.smtp_error.decode()}")
