"""Label Studio: all that is known of it, and a server of one's own.

`task` renders an item for `screen.xml`, `answers` reads what came back. Only `client`, `requests`
and `connection` speak to a server: what is asked of it, in which requests, and how they may fail. A
local one is set up by `install` and run by `server`, as a `guarded_process`; `credentials` keeps
who may log in, `accounts` has them signed up, `folder` tells where it is.
"""
