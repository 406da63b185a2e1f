"""People judge descriptions: what they are asked, where, and what their answers come to.

`kinds` makes what raters are shown, `items` gives it ids and an order, `task` renders it for
`screen.xml`, `answers` reads what came back; `sums` counts it, which `verdicts` has as rows and
`report` for a whole study. Only `label_studio`, `calls` and
`wire` speak to a Label Studio: what is asked of it, in which requests, and how they may fail. A
local one is installed by `environment` and run by `server`, under `guard`; `credentials` keeps who
may log in, `accounts` has them signed up, `folder` tells whether it runs.
"""
