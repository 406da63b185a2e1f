"""The database's tables as of today. Texts that others wrote are kept as JSON, which can hold any.

Whoever changes them adds a version and a step: see `annotator.ledger.migrations`.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

from annotator.ledger.sqlite import guard

SCHEMA = MetaData()

REQUESTS = Table(
    "requests",
    SCHEMA,
    Column("key", String(64), primary_key=True, comment="SHA-256 of all that determines it"),
    Column("content", JSON, nullable=False, comment="what the key is the digest of"),
    Column("at", Double, nullable=False, comment="seconds since 1970"),
)

DESCRIBERS = Table(
    "describers",
    SCHEMA,
    Column("number", Integer, primary_key=True, comment="grows"),
    Column("llm", String(500), nullable=False, comment="as --llm names it"),
    Column("template", String(64), nullable=False, comment="SHA-256 of the prompt's, or none"),
    Column("name", String(40), nullable=False, comment="what it is called here, or none"),
    UniqueConstraint("llm", "template", "name"),
    Index("describers_by_name", "name"),
)

HEADS = Table(
    "heads",
    SCHEMA,
    Column("number", Integer, primary_key=True, comment="grows; a head's last request counts"),
    Column("layer", Integer, nullable=False),
    Column("head", Integer, nullable=False),
    Column("describer", ForeignKey("describers.number"), nullable=False),
    Column("key", ForeignKey("requests.key"), nullable=False),
    Index("heads_by_name", "layer", "head", "describer"),
    Index("heads_by_describer", "describer"),
)

ATTEMPTS = Table(
    "attempts",
    SCHEMA,
    Column("id", Integer, primary_key=True),
    Column("key", ForeignKey("requests.key"), nullable=False),
    Column("number", Integer, nullable=False, comment="from 1"),
    Column("parameters", JSON, nullable=False, comment="what this attempt changed"),
    Column("owner", String(400), nullable=False, comment="see annotator.ledger.process_owner"),
    Column("at", Double, nullable=False, comment="committed before it was sent"),
    UniqueConstraint("key", "number"),
)

OUTCOMES = Table(
    "outcomes",
    SCHEMA,
    Column("attempt", ForeignKey("attempts.id"), primary_key=True),
    Column(
        "written_off",
        Boolean,
        primary_key=True,
        comment="true: its maker was taken for dead; an answer that comes late stands beside it",
    ),
    Column("kind", String(20), nullable=False),
    Column("content", JSON, nullable=False),
    Column("reply", JSON, nullable=False, comment='the model\'s own words, or ""'),
    Column("tokens_in", Integer, nullable=False),
    Column("tokens_out", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("final", Boolean, nullable=False, comment="false: it is asked once more, differently"),
    Column("at", Double, nullable=False),
)

CLAIMS = Table(
    "claims",
    SCHEMA,
    Column("key", String(64), primary_key=True),
    Column("owner", String(400), nullable=False),
    Column("until", Double, nullable=False, comment="a claim that was left behind ends by itself"),
)

ITEMS = Table(
    "items",
    SCHEMA,
    Column("number", Integer, primary_key=True),
    Column("id", String(16), nullable=False, comment="see annotator.judge.items"),
    Column("layer", Integer, nullable=False),
    Column("head", Integer, nullable=False),
    Column("llm", String(500), nullable=False, comment="who wrote the description"),
    Column("status", String(20), nullable=False),
    Column("key", String(64), nullable=False, comment="of the request, if one was made"),
    Column("kind", String(20), nullable=False, comment="see annotator.judge.kinds"),
    Column("template", String(64), nullable=False, comment="of the prompt, or none"),
    Column("name", String(40), nullable=False, comment="of who describes, or none"),
    UniqueConstraint("id", "llm", "key", "name"),
)

PROJECTS = Table(
    "projects",
    SCHEMA,
    Column("number", Integer, primary_key=True, comment="grows; a rater's last project counts"),
    Column("url", String(500), nullable=False, comment="of the Label Studio, without a password"),
    Column("rater", JSON, nullable=False),
    Column("project", Integer, nullable=False, comment="its id there"),
    Column("at", Double, nullable=False),
)

JUDGMENTS = Table(
    "judgments",
    SCHEMA,
    Column("number", Integer, primary_key=True),
    Column("item", String(16), nullable=False),
    Column("rater", JSON, nullable=False),
    Column("annotation", String(500), nullable=False, comment="Label Studio's; an edit keeps it"),
    Column("pattern", Boolean, comment="null: skipped"),
    Column("precision", String(20)),
    Column("category", String(20)),
    Column("comment", JSON, nullable=False),
    Column("seconds", Double),
    Column("at", Double, nullable=False, comment="given or last edited, as the server says"),
    Column("raw", JSON, nullable=False, comment="the annotation as it came"),
    Column("recorded", Double, nullable=False),
    UniqueConstraint("annotation", "at"),
    Index("judgments_by_item", "item"),
)

guard(SCHEMA, REQUESTS, DESCRIBERS, HEADS, ATTEMPTS, OUTCOMES, ITEMS, PROJECTS, JUDGMENTS)
