# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in files. They are put together here, so that none stands in the file."""

from __future__ import annotations

import base64
import random
import re
import string

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish import secret_content
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.screening import (
    judge_content,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.secret_content import (
    TOKENS,
)

BEGIN = "-----BEGIN %sPRIVATE KEY-----"
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj"
DICE = random.Random(15)
HEX = "".join(DICE.choices("0123456789abcdef", k=200))
MIXED = "".join(DICE.choices(string.ascii_letters + string.digits, k=200))
LETTERS = "".join(DICE.choices(string.ascii_letters, k=100))
UPPER = "".join(DICE.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=100))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{BEGIN % ''}\n{BODY}\n", "a private key"),
        (f"{BEGIN % 'RSA '}\r\n{BODY}\r\n", "a private key"),
        (f"x = '''{BEGIN % 'OPENSSH '}\n{BODY}'''", "a private key"),
        (f"{BEGIN % 'EC '}\nProc-Type: 4,ENCRYPTED\nDEK-Info: A,B\n\n{BODY}\n", "a private key"),
        ('{"private_key": "' + BEGIN % "" + "\\n" + BODY + '\\n"}', "a private key"),
        ("KEY = '" + BEGIN % "RSA " + "\\\\n" + BODY, "a private key"),
        (f"{BEGIN % 'RSA '}\n" + "A-b: c\n" * 20 + f"\n{BODY}\n", "a private key"),
        ("KEY = ('" + BEGIN % "RSA " + "\\n'\n    '" + BODY, "a private key"),
        ("aws_secret_access_" + "key = " + "aB3/" * 10, "an AWS secret key"),
        ('"AwsSecretAccess' + 'Key": "' + "aB3/" * 10 + '"', "an AWS secret key"),
        ("DB = 'postgres://u:" + "p@db.prod/shop'", "a URL with a password"),
        ("mongodb+srv://shop:" + "hunter2@cluster0.abc.mongodb.net", "a URL with a password"),
        ("https://ci:" + "s3cr3t@index.company.net/simple/", "a URL with a password"),
        ("id = 'AK" + "IA" + UPPER[:16] + "'", "an AWS key"),
        ("token: gh" + "p_" + MIXED[:36], "a GitHub token"),
        ('"a\\ngh' + "s_" + MIXED[:36] + '"', "a GitHub token"),
        ("github_" + "pat_" + MIXED[:82], "a GitHub token"),
        ("token: gl" + "pat-" + MIXED[:20], "a GitLab token"),
        ("xox" + "b-123456789012-" + MIXED[:20], "a Slack token"),
        (
            "https://hooks.slack" + f".com/services/T0AAAAAAA/B0AAAAAAA/{MIXED[:24]}",
            "a Slack webhook",
        ),
        ("sk_" + "live_" + MIXED[:24], "a Stripe key"),
        ("rk_" + "live_" + MIXED[:24], "a Stripe key"),
        ("np" + "m_" + MIXED[:36], "an npm token"),
        ("AI" + "za" + MIXED[:35], "a Google key"),
        ("pypi-" + "AgE" + MIXED[:60], "a PyPI token"),
        ("Key=1;Account" + "Key=" + MIXED[:86] + "==;", "an Azure storage key"),
        ("sk-" + "ant-api03-" + MIXED[:93] + "AA", "an Anthropic key"),
        ("sk-" + MIXED[:20] + "T3Blbk" + "FJ" + MIXED[20:40], "an OpenAI key"),
        ("sk-" + "proj-" + MIXED[:74] + "T3Blbk" + "FJ" + MIXED[:74], "an OpenAI key"),
        ("h" + "f_" + LETTERS[:34], "a Hugging Face token"),
        # none of a digit, but as many capitals as chance gives
        ("h" + "f_" + "aBcDeFgHijKlmnOpqrStuvwXyzabCdEfgh", "a Hugging Face token"),
        ("id = 'AK" + "IA" + "QWERTZUIOPASDFGH'", "an AWS key"),
        (f"the token ico-{HEX[:32]}. And", "an Infracost token"),
        ("redis://u:" + "notyours7@cache.company.net", "a URL with a password"),
        ("S" + "G." + MIXED[:22] + "." + MIXED[:43], "a SendGrid key"),
        ("do" + "p_v1_" + HEX[:64], "a DigitalOcean token"),
        ("hv" + "s." + MIXED[:95], "a Vault token"),
        ("AGE-" + "SECRET-KEY-1" + ("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" * 2)[:58], "an age key"),
        (
            "https://company.webhook"
            + f".office.com/webhookb2/{HEX[:36]}@{HEX[:36]}/IncomingWebhook/{HEX[:32]}",
            "a Teams webhook",
        ),
    ],
)
def test_secrets(text: str, words: str) -> None:
    said = judge_content(text.encode())
    assert said in (f"holds {words} (line 1)", f"holds what looks like {words} (line 1)")


@pytest.mark.parametrize(("literal", "rest", "kind"), TOKENS, ids=[row[0] for row in TOKENS])
def test_a_row_begins_with_a_literal_that_is_not_everywhere(
    literal: str, rest: str, kind: str
) -> None:
    assert secret_content.token(literal, rest).search(f"'{literal}'".encode()) is None
    assert re.match(r"an? \w", kind)
    # of two characters only with a mark in what follows
    assert len(literal) > 2 or re.search(r"[_]", rest)


@pytest.mark.parametrize(("literal", "rest", "_kind"), TOKENS, ids=[row[0] for row in TOKENS])
def test_a_pattern_begins_with_its_literal_for_which_re_searches_quickly(
    literal: str, rest: str, _kind: str
) -> None:
    pattern = secret_content.token(literal, rest).pattern
    assert pattern.startswith(re.escape(literal).encode())


def test_no_repetition_in_the_pattern_of_a_key_is_tried_in_each_length() -> None:
    pattern = secret_content.PRIVATE_KEY.pattern.removeprefix(b"-----BEGIN (?:[A-Z0-9]+ )*")
    # any number of spaces, of characters of a line, or of lines; but what else follows than it repeats
    assert re.findall(rb"[])sS][*](?![+])", pattern) == []


def test_a_key_below_many_lines() -> None:
    spaces = " \n\\n" * 20
    assert judge_content(f"{BEGIN % ''}\n{spaces}{BODY}\n".encode()) == (
        "holds a private key (line 1)"
    )
    assert judge_content(f"{BEGIN % ''}\n{spaces}.\n".encode()) is None


NOTHING = {
    "nothing": "",
    "certificate": "-----BEGIN CERTIFICATE-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw\n",
    "public key": "-----BEGIN PUBLIC KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw\n",
    "words": f"if text.startswith('{BEGIN % ''}'):\n    raise ValueError\n",
    "prefixes": "AKIA and other prefixes: ghp_, glpat-, xoxb-, hf_, sk-, SG.",
    "test key": "sk_" + "test_" + MIXED[:24],
    "user and password": "postgresql://user:password@db.company.net/shop",
    "twice the name": "postgres://shop:shop@db/shop",
    "masked": "redis://:xxxx@cache.company.net",
    "this host": "amqp://me:hunter2@localhost:5672//",
    "documentation": "https://me:hunter2@www.example.com/",
    "templates": "http://{user}:{password}@{host}/ http://$USER:$PASSWORD@$HOST http://%s:%s@%s",
    "port": "https://company.net:8443/a@b",
    "environment": "AWS_SECRET_ACCESS_KEY = os.environ['AWS_SECRET_ACCESS_KEY']",
    "placeholder": "GITHUB_TOKEN=gh" + "p_" + "x" * 36 + " HF=h" + "f_" + "abab" * 8 + "ab",
    "example": "AK" + "IAIOSFODNN7" + "EXAMPLE",
    "part of a word": "x" + "np" + "m_" + MIXED[:36] + " " + "gh" + "p_" + MIXED[:40],
    "base64": f"data:font/woff2;base64,{MIXED[:40]}/AK" + "IA" + UPPER[:16] + f"/{MIXED[:40]}",
    "a lock": f"shop==1.0 \\\n    --hash=sha256:{HEX[:64]}\n    --hash=sha256:{HEX[64:128]}\n",
    "integrity": f'"integrity": "sha512-{base64.b64encode(HEX[:64].encode()).decode()}"',
    "a fixture": f'SECRET_KEY = "{MIXED[:50]}"\npassword = "{MIXED[:20]}"\ntoken = "{HEX[:40]}"',
    "names of files": f"'ico-{HEX[:32]}.svg' dapi{HEX[:32]}.js p8e-{HEX[:32]}.css pul-{HEX[:40]}.png",
    "a class": '<i class="gl'
    + "ft-some-very-long-component-name gl"
    + 'rt-another-long-name-of-one">',
    "a name": "h" + "f_getAllTheThingsOfTheModelsAndOther",
    "yours": "https://hooks.slack" + ".com/services/YOUR/WEBHOOK/URLgoesHere0123456789abcdefghijk",
    "your password": "postgres://user:" + "your-password@db.company.net YOUR_DB=mysql://u:"
    "YOUR_PASSWORD@db.company.net",
    "a session": "ey" + f"J0eXAi.ey{MIXED[:60]}.{MIXED[60:100]}",
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_is_no_secret(name: str) -> None:
    assert judge_content(NOTHING[name].encode()) is None


def test_the_first_is_named_with_its_line() -> None:
    key = f"{BEGIN % ''}\n{BODY}\n"
    text = f"# {'gh'}p_\n\nA = 'gh" + f"o_{MIXED[:36]}'\n{key}"
    assert judge_content(text.encode()) == "holds what looks like a GitHub token (line 3)"
