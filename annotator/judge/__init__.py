"""People judge descriptions: what they are asked, and what their answers come to.

`kinds` makes what raters are shown, `items` gives it ids and an order; `aggregate` counts the
answers, which `verdicts` has as rows and `report` for a whole study.
"""
