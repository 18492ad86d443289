# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which secret a file holds, whatever it is called. Pure.

The tokens are those that name their issuer by how they begin: the rules of gitleaks 8.30 that begin with a literal,
and those of detect-secrets 1.5. What can only be told by a word beside it or by its entropy is left out: minified
JavaScript, hashes in locks and test fixtures are full of it.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Iterator

LEAST_ENTROPY = (
    2.5  # bits a character: random digits have 3, what stands for a token in documentation has less
)

# Not with a suffix behind it: the digest of a content in the name of a file.
NO_FILE = r"(?!\.\w)"
# How a token begins, what follows, and whose it is. Nothing that may be in public: test and publishable keys.
TOKENS: tuple[tuple[str, str, str], ...] = (
    (
        "A3-",
        r"[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}",
        "a 1Password key",
    ),
    ("ops_eyJ", r"[A-Za-z0-9+/]{250,}={0,3}", "a 1Password token"),
    ("p8e-", r"[A-Za-z0-9]{32}" + NO_FILE, "an Adobe secret"),
    ("AGE-SECRET-KEY-1", r"[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}", "an age key"),
    ("LTAI", r"[A-Za-z0-9]{20}", "an Alibaba Cloud key"),
    ("sk-ant-admin01-", r"[A-Za-z0-9_-]{93}AA", "an Anthropic key"),
    ("sk-ant-api03-", r"[A-Za-z0-9_-]{93}AA", "an Anthropic key"),
    ("AKCp", r"[A-Za-z0-9]{69}", "an Artifactory key"),
    ("cmVmd", r"[A-Za-z0-9]{59}", "an Artifactory token"),
    ("AKIA", r"[A-Z2-7]{16}", "an AWS key"),
    ("ASIA", r"[A-Z2-7]{16}", "an AWS key"),
    ("ABIA", r"[A-Z2-7]{16}", "an AWS key"),
    ("ACCA", r"[A-Z2-7]{16}", "an AWS key"),
    ("ABSK", r"[A-Za-z0-9+/]{109,269}={0,2}", "an AWS Bedrock key"),
    # all but that of its emulator, which everybody has
    ("AccountKey=", r"(?!Eby8vdM02xNO)[A-Za-z0-9+/]{86}==", "an Azure storage key"),
    ("CLOJARS_", r"[a-z0-9]{60}", "a Clojars token"),
    ("v1.0-", r"[a-f0-9]{24}-[a-f0-9]{146}", "a Cloudflare origin CA key"),
    ("dapi", r"[a-f0-9]{32}(?:-\d)?" + NO_FILE, "a Databricks token"),
    ("doo_v1_", r"[a-f0-9]{64}", "a DigitalOcean token"),
    ("dop_v1_", r"[a-f0-9]{64}", "a DigitalOcean token"),
    ("dor_v1_", r"[a-f0-9]{64}", "a DigitalOcean token"),
    ("dp.pt.", r"[A-Za-z0-9]{43}", "a Doppler token"),
    ("duffel_live_", r"[A-Za-z0-9_=-]{43}", "a Duffel token"),
    ("dt0c01.", r"[A-Za-z0-9]{24}\.[A-Za-z0-9]{64}", "a Dynatrace token"),
    ("EZAK", r"[A-Za-z0-9]{54}", "an EasyPost key"),
    ("EAAM", r"[A-Za-z0-9]{100,}", "a Facebook token"),
    ("EAAC", r"[A-Za-z0-9]{100,}", "a Facebook token"),
    ("fo1_", r"[\w-]{43}", "a Fly.io token"),
    ("fm2_", r"[A-Za-z0-9+/]{100,}={0,3}", "a Fly.io token"),
    ("fio-u-", r"[\w=-]{64}", "a Frame.io token"),
    ("gh", r"[oprsu]_[A-Za-z0-9]{36}", "a GitHub token"),
    ("github_pat_", r"\w{22,}", "a GitHub token"),
    ("glpat-", r"[\w-]{20,}(?:\.\w{2}\.?\w{7})?", "a GitLab token"),
    ("glcbt-", r"[A-Za-z0-9]{1,5}_[\w-]{20,}", "a GitLab token"),
    ("gldt-", r"[\w-]{20,}", "a GitLab token"),
    ("glft-", r"[\w-]{20,}", "a GitLab token"),
    ("glimt-", r"[\w-]{25}", "a GitLab token"),
    ("glagent-", r"[\w-]{50,}", "a GitLab token"),
    ("gloas-", r"[\w-]{64}", "a GitLab secret"),
    ("glptt-", r"[a-f0-9]{40}", "a GitLab token"),
    ("glrt-", r"[\w-]{20,}", "a GitLab token"),
    ("glsoat-", r"[\w-]{20,}", "a GitLab token"),
    ("GR1348941", r"[\w-]{20,}", "a GitLab token"),
    ("AIza", r"[\w-]{35}", "a Google key"),
    ("GOCSPX-", r"[\w-]{28}", "a Google client secret"),
    ("glc_", r"[A-Za-z0-9+/]{32,}={0,3}", "a Grafana token"),
    ("glsa_", r"[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}", "a Grafana token"),
    ("HRKU-AA", r"[\w-]{58}", "a Heroku key"),
    ("hf_", r"[A-Za-z]{34}", "a Hugging Face token"),
    ("api_org_", r"[A-Za-z]{34}", "a Hugging Face token"),
    ("ico-", r"[A-Za-z0-9]{32}" + NO_FILE, "an Infracost token"),
    ("lin_api_", r"[A-Za-z0-9]{40}", "a Linear key"),
    (
        ".webhook.office.com/webhookb2/",
        r"[a-z0-9-]{36}@[a-z0-9-]{36}/IncomingWebhook/\w+",
        "a Teams webhook",
    ),
    ("ntn_", r"[0-9]{11}[A-Za-z0-9]{35}", "a Notion token"),
    ("npm_", r"[A-Za-z0-9]{36}", "an npm token"),
    (
        "sk-",
        r"(?:(?:proj|svcacct|admin)-[\w-]{58,74}|[A-Za-z0-9]{20})T3BlbkFJ[\w-]{20,74}",
        "an OpenAI key",
    ),
    ("sha256~", r"[\w-]{43}", "an OpenShift token"),
    ("pplx-", r"[A-Za-z0-9]{48}", "a Perplexity key"),
    ("pscale_tkn_", r"[\w=.-]{32,64}", "a PlanetScale token"),
    ("pscale_oauth_", r"[\w=.-]{32,64}", "a PlanetScale token"),
    ("pscale_pw_", r"[\w=.-]{32,64}", "a PlanetScale password"),
    ("PMAK-", r"[a-f0-9]{24}-[a-f0-9]{34}", "a Postman key"),
    ("pnu_", r"[A-Za-z0-9]{36}", "a Prefect key"),
    ("pul-", r"[a-f0-9]{40}" + NO_FILE, "a Pulumi token"),
    ("pypi-AgE", r"[\w-]{50,}", "a PyPI token"),
    ("rdme_", r"[a-z0-9]{70}", "a ReadMe key"),
    ("rubygems_", r"[a-f0-9]{48}", "a RubyGems token"),
    ("tk-us-", r"[\w-]{48}", "a Scalingo token"),
    ("SG.", r"[\w-]{22}\.[\w-]{43}", "a SendGrid key"),
    ("xkeysib-", r"[a-f0-9]{64}-[A-Za-z0-9]{16}", "a Brevo key"),
    ("sntrys_", r"eyJ[A-Za-z0-9+/]{30,}={0,2}_[A-Za-z0-9+/]{43}", "a Sentry token"),
    ("sntryu_", r"[a-f0-9]{64}", "a Sentry token"),
    ("shippo_live_", r"[A-Fa-f0-9]{40}", "a Shippo token"),
    ("shp", r"(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}", "a Shopify token"),
    ("xapp-", r"\d-[A-Z0-9]+-\d+-[a-z0-9]+", "a Slack token"),
    ("xox", r"[abeoprs](?:\.xox[bp])?-[0-9]{1,14}-[A-Za-z0-9-]{10,}", "a Slack token"),
    ("hooks.slack.com/", r"(?:services|workflows|triggers)/[A-Za-z0-9+/]{36,}", "a Slack webhook"),
    ("sgp_", r"(?:(?:[A-Fa-f0-9]{16}|local)_)?[A-Fa-f0-9]{40}", "a Sourcegraph token"),
    ("sq0atp-", r"[\w-]{22}", "a Square token"),
    ("sq0csp-", r"[\w-]{43}", "a Square secret"),
    ("sk_live_", r"[A-Za-z0-9]{20,}", "a Stripe key"),
    ("rk_live_", r"[A-Za-z0-9]{20,}", "a Stripe key"),
    ("whsec_", r"[A-Za-z0-9+/]{32,}", "a Stripe webhook secret"),
    ("hvs.", r"[\w-]{90,120}", "a Vault token"),
    ("hvb.", r"[\w-]{138,300}", "a Vault token"),
)

# With a line of base64 under it: a program that looks for the words is no key. A line ends as in a file, or as in
# a literal of JSON or Python. No repetition can take back what it took, or take any number of lines: whatever a
# file holds, each byte is looked at a few times.
PRIVATE_KEY = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\r?\n|(?:\\+r)?\\+n)"
    rb"(?:[A-Za-z-]{1,64}: [^\n\\]*+(?:\n|\\+n)){0,20}+"
    rb"(?:\s|\\+[nr])*+[\"']?\s*+[\"']?[A-Za-z0-9+/=]{16}"
)
AWS_SECRET = re.compile(rb"secret.{0,20}key[\"']?\s*[:=]\s*[\"']?[a-z0-9/+]{40}(?![a-z0-9/+])")
URL_PASSWORD = re.compile(
    rb"://(?P<user>[^\s:/@\"'<>{}$%\\`()]{0,64})"
    rb":(?P<password>[^\s:/@\"'<>{}$\\`()*]{1,128})@(?P<host>[A-Za-z0-9.-]{1,255})"
)
SCHEME = re.compile(
    rb"\b(?:postgres(?:ql)?|mysql|mariadb|mssql|oracle|mongodb|rediss?|amqps?|ldaps?|smtps?|s?ftps?|https?)"
    rb"(?:\+[a-z0-9]+)?\Z"
)
# What stands for a password in documentation, and for a server there.
NO_PASSWORDS = frozenset(
    b"changeme example guest hackme pass passwd password passwort postgres pw pwd root secret test".split()
)
PLACEHOLDER = re.compile(rb"example|(?<![a-z0-9])your", re.IGNORECASE)
NO_HOSTS = re.compile(
    rb"(?:localhost|127\.[0-9.]+|host|hostname|server|proxy|.*\.(?:local|test|invalid|example)"
    rb"|(?:.*\.)?example\.(?:com|net|org))\.?",
    re.IGNORECASE,
)


@functools.cache
def token(literal: str, rest: str) -> re.Pattern[bytes]:
    """A token that is no part of a longer word. One without punctuation might be anywhere in base64, too.

    What stands before it is looked at behind the literal: `re` searches quickly for a pattern that begins with one.
    """
    more = "A-Za-z0-9_" if re.search(r"\W|_", literal) else "A-Za-z0-9_+/"
    begun = f"(?s:.{{{len(literal)}}})"
    # in a literal, a line may have ended before it; a domain has names before it
    before = "" if literal[0] == "." else rf"(?:(?<![{more}]{begun})|(?<=\\[nrt]{begun}))"
    return re.compile(f"{re.escape(literal)}{before}{rest}(?![{more}])".encode())


def entropy(text: bytes) -> float:
    """Bits a character."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def is_placeholder(found: bytes) -> bool:
    return bool(PLACEHOLDER.search(found)) or entropy(found) < LEAST_ENTROPY or is_words(found)


def is_words(text: bytes) -> bool:
    """Whether it may be words in small letters, or with a capital at the beginning of each, rather than chance."""
    capitals, small = (len(re.findall(kind, text)) for kind in (rb"[A-Z]", rb"[a-z]"))
    return not re.search(rb"[0-9]", text) and capitals * 4 <= capitals + small


def secrets_in(content: bytes) -> Iterator[tuple[int, str]]:
    """Where each begins, and what it is."""
    for found in PRIVATE_KEY.finditer(content):
        yield found.start(), "holds a private key"
    for found in filter(is_password, URL_PASSWORD.finditer(content)):
        yield found.start(), "holds a URL with a password"
    lower = content.lower()
    for found in AWS_SECRET.finditer(lower):
        if b"aws" in lower[max(0, found.start() - 23) : found.start()]:
            yield found.start(), "holds an AWS secret key"
    for literal, rest, kind in TOKENS:
        if literal.encode() not in content:  # the fast way
            continue
        for found in token(literal, rest).finditer(content):
            if not is_placeholder(found.group().removeprefix(literal.encode())):
                yield found.start(), f"holds what looks like {kind}"


def is_password(url: re.Match[bytes]) -> bool:
    """Whether a URL with a password is one that something would accept, and no example."""
    if not SCHEME.search(url.string[max(0, url.start() - 24) : url.start()]):
        return False
    password = url["password"].lower()
    example = (
        password in NO_PASSWORDS or password == url["user"].lower() or PLACEHOLDER.search(password)
    )
    return not example and not set(password) <= set(b"x.-_") and not NO_HOSTS.fullmatch(url["host"])
