"""Machines, folders and studies: proxies, certificates, paths, Label Studio."""

from __future__ import annotations

from tests.bad_inputs.case import CLOSED, BadInput

HUB = "map owner/name --out out"
ASK = "describe catalog --all --llm openai:tiny@https://model.example/v1 --key-env MY_KEY"
JUDGE = "judge status catalog --url"
KEY = {"MY_KEY": "sk-0123456789"}
SOCKS = "socks5://me:hunter2@proxy.example:1080"

MACHINES = [
    BadInput("a SOCKS proxy without its package, the hub", HUB, environment={"ALL_PROXY": SOCKS}),
    BadInput("the same, a language model", ASK, environment={"ALL_PROXY": SOCKS, **KEY}),
    BadInput(
        "the same, a study",
        f"{JUDGE} https://labels.example --token x",
        environment={"ALL_PROXY": SOCKS},
    ),
    BadInput(
        "a proxy of a kind that nobody knows",
        HUB,
        environment={"HTTPS_PROXY": "gopher://me:hunter2@proxy.example"},
    ),
    BadInput(
        "a proxy that is no address",
        HUB,
        environment={"HTTPS_PROXY": "http://me:hunter2/x@proxy.example"},
    ),
    BadInput(
        "a proxy where nobody answers",
        HUB,
        environment={"HTTPS_PROXY": CLOSED, "HF_ENDPOINT": "https://hub.example"},
        apart=True,
    ),
    BadInput(
        "certificates that are not there, the hub", HUB, environment={"SSL_CERT_FILE": "gone.pem"}
    ),
    BadInput("the same, a language model", ASK, environment={"SSL_CERT_FILE": "gone.pem", **KEY}),
    BadInput(
        "the same, a study",
        f"{JUDGE} https://labels.example --token x",
        environment={"SSL_CERT_FILE": "gone.pem"},
    ),
    BadInput(
        "a folder of certificates that is not there",
        HUB,
        environment={"SSL_CERT_DIR": "gone"},
    ),
    BadInput(
        "a file without certificates",
        HUB,
        lambda place: place.write("empty.pem", ""),
        environment={"SSL_CERT_FILE": "empty.pem"},
    ),
    BadInput("no hub, by setting", HUB, environment={"HF_HUB_OFFLINE": "1"}, apart=True),
    BadInput("a folder whose name is no UTF-8", "map model --out 'caf\udce9/out'"),
    BadInput(
        "a file where a folder should be",
        "map model --out notes.txt/out",
        lambda place: place.write("notes.txt", ""),
    ),
    BadInput(
        "a user of whom nobody knows the home",
        "judge serve catalog --rater ada",
        environment={"HOME": None},
    ),
]

STUDIES = [
    BadInput("no server that runs", "judge pull catalog"),
    BadInput("nobody at the address", f"{JUDGE} {CLOSED} --token x"),
    BadInput("no token", f"{JUDGE} https://labels.example"),
    BadInput(
        "the environment's token at another server's address",
        f"{JUDGE} https://labels.example",
        environment={"LABEL_STUDIO_API_KEY": "x", "LABEL_STUDIO_URL": "https://other.example"},
    ),
    BadInput("a token over http", f"{JUDGE} http://labels.example --token x"),
    BadInput("an address with a password", f"{JUDGE} https://me:hunter2@labels.example --token x"),
    BadInput("a token without its server", "judge status catalog --token x", code=2),
    BadInput("a rater's name that can be none", "judge export catalog --rater ''"),
    BadInput(
        "a file of answers that is none",
        "judge import catalog notes.txt",
        lambda place: place.write("notes.txt", "{"),
    ),
    BadInput(
        "answers to another catalog's items",
        "judge import catalog other.json",
        lambda place: place.write("other.json", "[{}]"),
    ),
    BadInput("no answers to report", "judge report catalog"),
]
