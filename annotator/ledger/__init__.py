"""What was paid for: requests, the attempts made of them, and what came back.

`ledger` is the only code that opens the database, `tables` its form, `sqlite` all that is SQLite's
own, `owner` tells who is still at work. Rows are added and never changed: an intent is committed
before anything is sent, and an outcome that was recorded is never asked for again, overwritten or
deleted (on SQLite, triggers see to that). Only claims, which say who is at a request now, come and
go.
"""
