"""Evidence of a head, a prompt, a language model's answer: what a head does, in words.

`evidence` chooses what is shown of a head, `prompt` renders it so that no token leaves its slot,
`request` is what determines an answer, `llm` the one method every language model has; `openai`,
`anthropic`, `local`, `answer_file` and `rule_baseline` have it. `outcome` is the closed union of
what may come back, `attempts` sends, retries and writes everything down in the ledger. `providers`
reads --llm, `api_keys` finds a provider's key, `sdk_provider` is what the SDKs have in common,
`http_errors` what their errors come to.
"""
