"""Everything that can go wrong, one type each, each building its own message.

AnnotatorError
├── ModelError                a model cannot be read or mapped
│   ├── ModelNotFound         no such path, and no such repository on the hub
│   ├── CheckpointRefused     readable, but not something that can be mapped as it is
│   ├── CheckpointBroken      missing, truncated, mis-shaped or non-finite; every problem is named
│   ├── CheckpointUnreadable  a file of it that the system does not let us read
│   ├── UnknownFamily         a model_type (or GGUF architecture) without a table entry
│   ├── Disproved             its own modules compute something else than what is cut from it
│   └── TokenizerMissing      no tokenizer, or one whose kind is not known
├── DeviceUnavailable         --device names what this machine lacks
├── Overflow                  finite weights whose products are not finite
├── MissingExtra              an optional package is needed and absent
├── EnvironmentInvalid        a proxy or certificates that a variable names and none can use
├── PathInvalid               a path that nothing can be kept at
├── HomeMissing               a user whose home folder nothing names
├── SettingInvalid            a setting outside its range
├── HeadInvalid               not a head's name, or a head the model does not have
├── TokenInvalid              a text that is not one token of this model
├── DescribeError             a description run cannot go on; what was recorded is kept
│   ├── LlmInvalid            a --llm that names no language model here
│   ├── BaseUrlIgnored        OPENAI_BASE_URL names another server than would be asked
│   ├── KeyMissing            a provider's key that is nowhere
│   │   └── KeyElsewhere      a key that was not named for the server it would go to
│   ├── KeyReadable           a key that others could read on its way
│   ├── KeyInvalid            a key, or a file of one, that cannot be used
│   ├── LlmFailed             a failure that every other request would meet alike
│   ├── HeadsUnanswered       a run that ended without an answer for each head
│   ├── NoneDescribed         a run whose answers describe no head
│   ├── NameTaken             a describer's name that stands for another
│   ├── DescriberUnknown      nobody who described heads here, or several of them
│   ├── PromptInvalid         a prompt template that cannot be rendered
│   ├── LedgerUnusable        the database of calls cannot be opened, read or written
│   │   ├── LedgerMissing      there is none
│   │   └── LedgerUnlockable   its disk lacks what SQLite needs
│   ├── LedgerDamaged         it is not as it should be; every problem is named
│   └── BackupFailed          a backup of it that was not written
├── JudgeError                a human study cannot go on; what was judged is kept
│   ├── ServerUnusable        a Label Studio that cannot be started, reached or understood
│   ├── TokenRefused          a token that the server does not take
│   ├── ProjectGone           raters' projects that somebody deleted
│   ├── ExportUnreadable      a file of answers that cannot be read
│   ├── AnswersInvalid        answers that cannot be taken; all others were
│   ├── StudyForeign          answers to another catalog's items
│   └── NothingToJudge        no description to judge, or several where one has to be named
├── PushFailed                a dataset that the Hugging Face hub did not take
├── RelationError             relations cannot be scored or tested; what is finished is kept
│   ├── RelationsInvalid       files of pairs that cannot be used
│   ├── NoRelations            a catalog without relation scores
│   └── NotRun                 a model that cannot be run in inference here
└── CatalogError              a catalog on disk cannot be used
    ├── CatalogMissing        the folder holds no (finished) catalog
    ├── CatalogMismatch       the folder holds another model or other settings
    ├── CatalogForeign        the folder holds files that are not a catalog's
    ├── CatalogBusy           another process is writing it
    ├── CatalogBroken         a file of it cannot be read
    ├── CatalogUnwritable     the disk is full, or the path cannot be written
    └── PortTaken             its page cannot be served on the port that was named

A message says what is wrong, where, and what to do next. All of them leave finished work alone.
"""

from __future__ import annotations

from annotator.errors.arguments import DeviceUnavailable as DeviceUnavailable
from annotator.errors.arguments import EnvironmentInvalid as EnvironmentInvalid
from annotator.errors.arguments import HeadInvalid as HeadInvalid
from annotator.errors.arguments import HomeMissing as HomeMissing
from annotator.errors.arguments import MissingExtra as MissingExtra
from annotator.errors.arguments import Overflow as Overflow
from annotator.errors.arguments import PathInvalid as PathInvalid
from annotator.errors.arguments import SettingInvalid as SettingInvalid
from annotator.errors.arguments import TokenInvalid as TokenInvalid
from annotator.errors.base import AnnotatorError as AnnotatorError
from annotator.errors.catalogs import CatalogBroken as CatalogBroken
from annotator.errors.catalogs import CatalogBusy as CatalogBusy
from annotator.errors.catalogs import CatalogError as CatalogError
from annotator.errors.catalogs import CatalogForeign as CatalogForeign
from annotator.errors.catalogs import CatalogMismatch as CatalogMismatch
from annotator.errors.catalogs import CatalogMissing as CatalogMissing
from annotator.errors.catalogs import CatalogUnwritable as CatalogUnwritable
from annotator.errors.catalogs import PortTaken as PortTaken
from annotator.errors.describing import BaseUrlIgnored as BaseUrlIgnored
from annotator.errors.describing import DescribeError as DescribeError
from annotator.errors.describing import DescriberUnknown as DescriberUnknown
from annotator.errors.describing import HeadsUnanswered as HeadsUnanswered
from annotator.errors.describing import KeyElsewhere as KeyElsewhere
from annotator.errors.describing import KeyInvalid as KeyInvalid
from annotator.errors.describing import KeyMissing as KeyMissing
from annotator.errors.describing import KeyReadable as KeyReadable
from annotator.errors.describing import LedgerUnusable as LedgerUnusable
from annotator.errors.describing import LlmFailed as LlmFailed
from annotator.errors.describing import LlmInvalid as LlmInvalid
from annotator.errors.describing import NameTaken as NameTaken
from annotator.errors.describing import NoneDescribed as NoneDescribed
from annotator.errors.describing import PromptInvalid as PromptInvalid
from annotator.errors.exporting import PushFailed as PushFailed
from annotator.errors.judging import AnswersInvalid as AnswersInvalid
from annotator.errors.judging import ExportUnreadable as ExportUnreadable
from annotator.errors.judging import JudgeError as JudgeError
from annotator.errors.judging import NothingToJudge as NothingToJudge
from annotator.errors.judging import ProjectGone as ProjectGone
from annotator.errors.judging import ServerUnusable as ServerUnusable
from annotator.errors.judging import StudyForeign as StudyForeign
from annotator.errors.judging import TokenRefused as TokenRefused
from annotator.errors.ledgers import BackupFailed as BackupFailed
from annotator.errors.ledgers import LedgerDamaged as LedgerDamaged
from annotator.errors.ledgers import LedgerMissing as LedgerMissing
from annotator.errors.ledgers import LedgerUnlockable as LedgerUnlockable
from annotator.errors.models import CheckpointBroken as CheckpointBroken
from annotator.errors.models import CheckpointRefused as CheckpointRefused
from annotator.errors.models import CheckpointUnreadable as CheckpointUnreadable
from annotator.errors.models import Disproved as Disproved
from annotator.errors.models import ModelError as ModelError
from annotator.errors.models import ModelNotFound as ModelNotFound
from annotator.errors.models import TokenizerMissing as TokenizerMissing
from annotator.errors.models import UnknownFamily as UnknownFamily
from annotator.errors.relations import NoRelations as NoRelations
from annotator.errors.relations import NotRun as NotRun
from annotator.errors.relations import RelationError as RelationError
from annotator.errors.relations import RelationsInvalid as RelationsInvalid
