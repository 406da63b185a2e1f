"""Ids and text: which tokens count, which text is which token, how a token is shown to a person."""
