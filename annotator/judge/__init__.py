"""People judge descriptions: what they are asked, where, and what their answers come to.

`items` chooses what raters are shown and in which order, `task` renders it for `screen.xml`,
`answers` reads what came back, `report` sums it up. `label_studio` is the only file that speaks to
a Label Studio, `environment` and `server` install and start a local one.
"""
