"""People judge descriptions: what they are asked, where, and what their answers come to.

`items` chooses what raters are shown and in which order, `task` renders it for `screen.xml`,
`answers` reads what came back, `report` sums it up. Only `label_studio`, `calls` and
`wire` speak to a Label Studio: what is asked of it, in which requests, and how they may fail. A
local one is installed by `environment` and run by `server`, under `guard`; `credentials` keeps who
may log in, `accounts` has them signed up, `folder` tells whether it runs.
"""
