"""What was paid for or given by people: requests, attempts and answers; items and judgments.

`ledger` is the only code that asks the database, `judgments` the people's side of it,
`attempt_results` what goes in and comes out; `location` opens it, `tables` is its form,
`migrations` makes that of older ones, `sqlite` is all that is SQLite's own, `locks` tells whether a
disk has what that needs, `process_owner` who is still at work; `check` looks whether a ledger is
whole, `backup` copies it. Rows are added and never changed: an intent is committed before anything
is sent, and an outcome that was recorded is never asked for again, overwritten or deleted (on
SQLite, triggers see to that). Only claims, which say who is at a request now, come and go.
"""
