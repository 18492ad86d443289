# `make help` lists the targets. Each sets up what it needs: nothing is to be installed by hand.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# The parts share one machine, one virtualenv and one set of hosts.
.NOTPARALLEL:
# One bad gate does not hide the others.
MAKEFLAGS += --keep-going --no-print-directory

# CORE=2.19 is the oldest ansible-core that the collection supports, and the last for Python 3.11.
# Without it: the newest one that an interpreter of this machine can run.
CORE ?=
VENV ?= .venv$(CORE:%=-%)
VERSION ?=
# Debian optimises its Pythons by profiles; those that pyenv builds need about twice the CPU time. So Debian's newest
# comes first and, where that is too old for the newest ansible-core, the one of Debian 13, unpacked here.
UNPACKED := $(CURDIR)/build/python/usr/bin/python3.13
DEBIAN_PYTHON := $(or $(wildcard /usr/bin/python3.14 /usr/bin/python3.13 /usr/bin/python3.12),$(if $(wildcard /usr/share/keyrings/debian-archive-keyring.gpg),$(UNPACKED)))
ifeq ($(CORE),)
PYTHON ?= $(DEBIAN_PYTHON) python3.14 python3.13 python3.12 python3.11 python3
else ifeq ($(CORE),2.19)
PYTHON ?= /usr/bin/python3.11 python3.11
else
$(error CORE is 2.19, or not given for the newest ansible-core)
endif

# The first of the given names that works, from PATH or else from pyenv, and of that the interpreter itself:
# version managers put wrappers of that name on PATH, and a virtualenv made from a wrapper, or from
# a virtualenv, breaks when that goes.
REAL := import ensurepip, sys; print("%s/bin/python%d.%d" % (sys.base_prefix, *sys.version_info[:2]))
find = $(shell for name in $(1); do for python in $$name $${PYENV_ROOT:-$$HOME/.pyenv}/versions/*/bin/$$name; do \
	$$python -c '$(REAL)' 2> /dev/null && exit; done; done)
INTERPRETER = $(eval INTERPRETER := $$(call find,$$(PYTHON)))$(INTERPRETER)
COLLECTION := build/collections/ansible_collections/twelvefactor/deploy
SCENARIOS := $(sort $(patsubst molecule/%/molecule.yml,%,$(wildcard molecule/*/molecule.yml)))
# Take bare hosts to what the README and the example inventory say, and serve apps that were not written here: too long
# for every change.
SLOW := example readme strange
SCENARIOS := $(filter-out $(SLOW),$(SCENARIOS))
# Parts at a time, one more than the cores of a small machine, because a part waits for hosts during a third of its
# time; and seconds after which no part of a run may go on: none by default.
JOBS ?= 3
LIMIT ?=
PARTS := tests/parts/parts --jobs $(JOBS) $(if $(LIMIT),--limit $(LIMIT))
LOCKS := $(patsubst %.in,%.txt,$(wildcard requirements/*.in roles/*/files/requirements.in \
	roles/*/files/*/requirements.in molecule/*/files/*/requirements.in \
	examples/*/*requirements.in molecule/*/files/*/*requirements.in tests/unit/pivot/servers.in))
CA_BUNDLE := $(wildcard /etc/ssl/certs/ca-certificates.crt)

# Debian's packages: what a controller needs, and what the test hosts and the load on them need.
PACKAGES := curl git openssh-client python3-venv rsync shellcheck
HOST_PACKAGES := aardvark-dns crun iproute2 iptables mmdebstrap netavark nftables \
	nghttp2-client podman runc uidmap wrk

export PATH := $(abspath $(VENV))/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/build/collections
# The machine's trust store, where a private authority may stand, instead of a bundled one.
export UV_SYSTEM_CERTS := true
ifneq ($(CA_BUNDLE),)
export PIP_CERT ?= $(CA_BUNDLE)
endif
# Where it is set, as in many images of CI, every process of Ansible compiles Ansible from source.
unexport PYTHONDONTWRITEBYTECODE
# One counts results of tasks for the table of tests/parts, one saves time; neither prints anything.
export ANSIBLE_CALLBACK_PLUGINS := $(CURDIR)/tests/parts/callbacks
export ANSIBLE_CALLBACKS_ENABLED := part_usage,task_counts,warm_workers
# Logs that can be read in a file.
export MOLECULE_COMMAND_BORDERS := 0
export MOLECULE_ANSIBLE_ARGS_STRICT_MODE := 1
ifeq ($(MAKE_TERMOUT),)
export NO_COLOR := 1
endif

##@ The demo

.PHONY: demo
demo: hosts-ready ## four hosts, an index, a proxy and an app on two of them
	tests/hosts/hosts up demo index1=debian12:index app1=debian12:app app2=debian13:app proxy1=debian13:proxy
	ANSIBLE_STDOUT_CALLBACK=twelvefactor.deploy.live \
		ansible-playbook -i inventories/demo -i build/hosts/demo/inventory.yml examples/guestbook/demo.yml

.PHONY: release
release: hosts-ready ## VERSION=x.y.z: release it to the demo under load, and count failed requests
	@[[ -n "$(VERSION)" ]] || { echo 'release: say which version, as in: make release VERSION=1.1.0' >&2; exit 2; }
	tests/load/release --version $(VERSION)

.PHONY: demo-clean
demo-clean: ## remove the demo's hosts and what was kept of them
	tests/hosts/hosts down demo
	rm -rf build/demo

##@ Tests

.PHONY: test
test: hosts-ready build/tls/.complete ## every behaviour: the parts below, three at a time, and a table of them (JOBS=1, LIMIT=seconds)
	@$(PARTS) lint unit $(if $(call find,/usr/bin/python3.11 python3.11),unit-2.19 site-2.19) $(addprefix molecule-,$(SCENARIOS))

.PHONY: unit
unit: ready build/servers/.complete build/editor/.complete ## unit tests, those of the pivot with real app servers among them
	pytest --numprocesses 2 --dist loadgroup --durations 15 tests/unit

# A score of rollouts, each of which differs by what its modules answer; on the oldest ansible-core test_task_budgets.py
# plays those that differ by their tasks.
ROLLOUTS := test_joining_host.py test_judged_deploy.py

.PHONY: unit-ansible
unit-ansible: ready ## those of the unit tests that meet Ansible itself
	pytest --numprocesses 2 --dist loadgroup \
		$(if $(filter 2.19,$(CORE)),$(addprefix --ignore tests/unit/playbooks/,$(ROLLOUTS)),tests/unit/devpi) tests/unit/playbooks \
		tests/unit/plugins/{action,callback,filter,lookup,plugin_utils}

.PHONY: unit-2.19
unit-2.19: ## the same on ansible-core 2.19, where there is a python3.11
	@$(MAKE) unit-ansible CORE=2.19 VENV=.venv-2.19 PYTHON='/usr/bin/python3.11 python3.11'

# In a copy, whose hosts are others than those of the part molecule-site. What apt unpacks on a bare host is the
# same for every ansible-core, so that these have it already.
.PHONY: site-2.19
site-2.19: hosts-ready ## the scenario site on ansible-core 2.19
	mkdir -p build/oldest
	git ls-files -z --cached --others --exclude-standard | \
		rsync --archive --from0 --files-from=- --ignore-missing-args . build/oldest
	$(MAKE) -C build/oldest molecule-site CORE=2.19 PYTHON='/usr/bin/python3.11 python3.11' SITE_IMAGES=-prepared

build/servers/.complete: tests/unit/pivot/servers.txt | $(VENV)/.complete
	uv venv --quiet --clear --python $(INTERPRETER) $(@D)
	uv pip sync --quiet --require-hashes --only-binary :all: --python $(@D)/bin/python $<
	touch $@

# The language server that editors check inventories with, and the Node.js that runs it.
build/editor/.complete: requirements/editor.txt tests/editor/package-lock.json | $(VENV)/.complete
	uv venv --quiet --clear --python $(INTERPRETER) $(@D)
	uv pip sync --quiet --require-hashes --only-binary :all: --python $(@D)/bin/python $<
	cp tests/editor/package.json tests/editor/package-lock.json $(@D)
	PATH=$(CURDIR)/$(@D)/bin:$$PATH npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund
	touch $@

.PHONY: molecule
molecule: images build/tls/.complete ## every Molecule scenario
	@$(PARTS) $(addprefix molecule-,$(SCENARIOS))

# Mitogen keeps one Python on each host where Ansible starts one for each task: the hosts' part of a role's
# second run takes a fifth of the CPU time. Nothing needs it: these scenarios and all of `make proof` run as
# people run them, and so does what is killed, rebooted or cut off in the middle.
PLAIN := daemon log_shipping logrotate readme
MITOGEN = ANSIBLE_STRATEGY=mitogen_linear ANSIBLE_STRATEGY_PLUGINS=$$(python -c \
	'import ansible_mitogen; print(ansible_mitogen.__path__[0] + "/plugins/strategy")')

molecule-%: hosts-ready ## molecule-NAME: one scenario, on real hosts of both Debian versions
	@# What Molecule remembers of an earlier run is forgotten, and `create` takes hosts that are left away:
	@# that saves a playbook.
	rm -rf build/molecule/$*
	$(if $(PROOF)$(filter $*,$(PLAIN)),,$(MITOGEN)) MOLECULE_EPHEMERAL_DIRECTORY=$(CURDIR)/build/molecule/$* \
		molecule --base-config .config/molecule/config.yml test --scenario-name $*

# The scanners of TLS and of nginx's configuration: made before two parts need them at once.
molecule-nginx molecule-nginx_acme: build/tls/.complete

build/tls/.complete: requirements/tls.txt | $(VENV)/.complete
	uv venv --quiet --clear --python $(INTERPRETER) $(@D)
	uv pip sync --quiet --require-hashes --python $(@D)/bin/python $<
	touch $@

# What repetition and endurance show. A smaller form of each is in `make test`.
PROVEN := circus fleet log_shipping logrotate nginx operate reload site

.PHONY: proof
proof: images build/tls/.complete ## repetition and endurance: hours; the scenarios with PROOF=1, the proof of the reload, the benchmarks
	@PROOF=1 $(PARTS) lint-ansible lint-sanity $(addprefix molecule-,$(PROVEN) $(SLOW)) storm prove-reload bench-nginx bench-index

.PHONY: storm
storm: ready ## operations and faults at random against pivots and the module, without hosts (STORM=17-30: these seeds)
	STORM=$(or $(STORM),200) pytest --numprocesses 2 tests/unit/storm

.PHONY: prove-reload
prove-reload: hosts-ready ## deploy every app server under load, count what is lost (SERVERS=uvicorn DEPLOYS=3: less of it)
	tests/load/prove-reload $(if $(SERVERS),--servers '$(SERVERS)') $(if $(DEPLOYS),--deploys $(DEPLOYS)) \
		$(if $(REQUESTS),--requests $(REQUESTS)) $(if $(KEEP_HOSTS),--keep-hosts)

.PHONY: bench-nginx
bench-nginx: hosts-ready ## requests per second through the role's nginx, against a bare one
	tests/load/bench-nginx

.PHONY: bench-index
bench-index: hosts-ready ## 100 clients install from an index at once; nginx against devpi alone (CLIENTS=20: less of it)
	tests/load/bench-index $(CLIENTS)

##@ Gates

GATES := lint-ansible lint-sanity lint-docs lint-changelog lint-yaml lint-python lint-types lint-spelling lint-licenses

.PHONY: lint $(GATES)
lint: $(GATES) docs ## every gate below, and the site, whose warnings are errors

# A file takes seconds since ansible-core 2.19: the scenarios are for `make proof`.
lint-ansible: ready ## ansible-lint, production profile: what is shipped (PROOF=1: the scenarios, too)
	ansible-lint --offline --profile production $(if $(PROOF),,roles playbooks inventories examples)

.PHONY: lint-copy
lint-copy: ready
	@tests/lint/copy

# pylint takes more than all others together: of it, what is shipped (PROOF=1: tests, too). Ruff reads all. Of pep8,
# yamllint and changelog, each of which makes a virtualenv, other gates run the same or more (PROOF=1: these, too).
lint-sanity: lint-copy ## ansible-test sanity (SANITY='--test validate-modules' for one of its tests)
	tests/lint/sanity $(or $(SANITY),$(if $(PROOF),,$(addprefix --skip-test ,changelog pep8 pylint yamllint)))
	$(if $(SANITY)$(PROOF),,tests/lint/sanity --test pylint plugins/ roles/)

lint-docs: lint-copy ## antsibull-docs
	cd build/lint/ansible_collections/twelvefactor/deploy && \
		ANSIBLE_COLLECTIONS_SCAN_SYS_PATH=false ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/build/lint \
		antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=all .

lint-changelog: ready ## antsibull-changelog
	antsibull-changelog lint

lint-yaml: ready ## yamllint
	yamllint --strict .

lint-python: ready ## ruff, rules and format
	ruff check .
	ruff format --check .

lint-types: ready ## mypy, strict
	mypy --strict $(COLLECTION)/plugins
	MYPYPATH=roles/circus/files mypy --strict --package pivot
	MYPYPATH=roles/app_metrics/files/usr/local/lib/twelvefactor mypy --strict --package app_metrics
	MYPYPATH=tests:tests/subject/src mypy --strict --package hosts --package load --package monitoring --package parts --package scanners --package subject --package report --package editor

lint-spelling: ready ## codespell
	codespell

lint-licenses: ready ## reuse: every file has a license
	REUSE_ENCODING_MODULE=charset_normalizer reuse lint --lines

##@ Set-up

.PHONY: venv
venv: $(VENV)/.complete ## the virtualenv, from requirements/dev.txt

# It brings its own libc, which programs that it starts do not see. The interpreter is there when all else is.
$(UNPACKED): | tools
	$(call install,mmdebstrap patchelf)
	rm -rf build/python
	mkdir -p build
	mmdebstrap --quiet --variant=extract --include=python3.13-venv trixie build/python
	@# where Debian keeps pip
	find build/python/usr/lib/python3.13 -name '_sysconfigdata_*.py' -type f \
		-exec sed -i 's,/usr/share/python-wheels,$(CURDIR)/build/python&,' {} +
	mv $@ $@.as-packaged
	patchelf --set-interpreter $(CURDIR)/build/python/usr/lib/*/ld-linux-*.so.* --force-rpath \
		--set-rpath "$$(dirname $(CURDIR)/build/python/usr/lib/*/ld-linux-*.so.*)" --output $@ $@.as-packaged
	$@ -m compileall -q build/python/usr/lib/python3.13

# On a change of this file too: it may choose another interpreter.
$(VENV)/.complete: requirements/dev.txt Makefile | tools $(filter $(UNPACKED),$(PYTHON))
	@[[ -n "$(INTERPRETER)" ]] || { echo 'make: none of these was found, on PATH or in pyenv: $(PYTHON)' >&2; exit 2; }
	@$(INTERPRETER) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "make: %s is %d.%d and 3.11 or newer is needed: make PYTHON=python3.11" % (sys.executable, *sys.version_info[:2]))'
	@echo 'setting up $(VENV) with $(INTERPRETER)'
	@if [[ "$$($(VENV)/bin/python -c '$(REAL)' 2> /dev/null)" != $(INTERPRETER) ]]; then \
		rm -rf $(VENV); \
		if command -v uv > /dev/null; then \
			uv venv --quiet --python $(INTERPRETER) $(VENV); \
		else \
			$(INTERPRETER) -m venv $(VENV); \
			sed -n '/^uv==/,/# via/p' $< > $(VENV)/uv.txt; \
			$(VENV)/bin/python -m pip install --quiet --no-deps --require-hashes -r $(VENV)/uv.txt || \
				$(VENV)/bin/python -m pip install --require-hashes -r $<; \
		fi; \
	fi
	@if command -v uv > /dev/null; then uv pip sync --quiet --require-hashes --python $(VENV)/bin/python $<; fi
	@$(VENV)/bin/python -c 'import sys; from importlib.metadata import version; print("$(VENV) has ansible-core", version("ansible-core") + \
		("" if "$(CORE)" or sys.version_info >= (3, 12) else ": newer ones need Python 3.12 or newer, and none was found"))'
	@touch $@

# $(call install,PACKAGES): install those which are missing, or say who can.
define install
	@missing=$$(for package in $(1); do \
		dpkg-query --show --showformat '$${db:Status-Status}\n' $$package 2> /dev/null | grep -qx installed || echo $$package; \
	done); \
	if [[ -n $$missing ]]; then \
		((EUID == 0)) || { echo "make: only root can install what is missing: apt-get install" $$missing >&2; exit 2; }; \
		echo "installing" $$missing; \
		export DEBIAN_FRONTEND=noninteractive; \
		mkdir -p build; \
		apt-get -qq update; \
		apt-get -qq -y --no-install-recommends install $$missing > build/apt.log; \
	fi
endef

.PHONY: tools
tools: ## the Debian packages that a controller needs, where missing
	$(call install,$(PACKAGES))

.PHONY: host-tools
host-tools: ## the Debian packages that the test hosts need, where missing
	$(call install,$(HOST_PACKAGES))

$(COLLECTION):
	mkdir -p $(@D)
	ln -s ../../../.. $@

.PHONY: images
images: hosts-ready ## the images of the test hosts, where missing
	tests/hosts/hosts build

.PHONY: ready
ready: $(VENV)/.complete $(COLLECTION)

.PHONY: hosts-ready
hosts-ready: ready host-tools

.PHONY: lock
lock: ready ## the lock files anew, from every requirements/*.in (UPGRADE=1 for the newest versions)
	$(foreach lock,$(LOCKS),cd $(CURDIR)/$(dir $(lock)) && uv pip compile --quiet --universal --generate-hashes \
		--python-version 3.11 --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
		$(if $(UPGRADE),--upgrade) $(notdir $(lock:.txt=.in)) -o $(notdir $(lock));)

.PHONY: docs
docs: $(COLLECTION) build/docs/venv/.complete ## the site of the documentation, in build/docs/html; warnings are errors
	rm -rf build/docs/source build/docs/html
	mkdir -p build/docs/source/reference
	@# with the repository's own paths: a link leads to the same page here and there
	git ls-files -z --cached --others --exclude-standard README.md README.zh.md SECURITY.md CONTRIBUTING.md docs \
		'roles/*/README.md' inventories/example examples/monitoring examples/fabfile/fabfile.py \
		examples/fabfile/requirements.txt | \
		rsync --archive --from0 --files-from=- --ignore-missing-args . build/docs/source
	ANSIBLE_COLLECTIONS_SCAN_SYS_PATH=false build/docs/venv/bin/antsibull-docs collection --use-current --squash-hierarchy \
		--dest-dir build/docs/source/reference twelvefactor.deploy
	build/docs/venv/bin/sphinx-build --quiet --fail-on-warning --keep-going --jobs auto -c docs/site -d build/docs/doctrees \
		build/docs/source build/docs/html
	@echo 'build/docs/html/index.html'

build/docs/venv/.complete: requirements/docs.txt | $(VENV)/.complete
	uv venv --quiet --clear --python $(INTERPRETER) $(@D)
	uv pip sync --quiet --require-hashes --python $(@D)/bin/python $<
	touch $@

.PHONY: schema
schema: ready ## docs/inventory.schema.json, after a change to an argument spec or a setting
	python tests/inventory_schema.py > build/inventory.schema.json
	mv build/inventory.schema.json docs/inventory.schema.json

.PHONY: clean
clean: ## remove every test host, build/ and the virtualenv
	if [[ -d build/hosts ]]; then tests/hosts/hosts down --all; fi
	rm -rf build $(VENV)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z0-9.%-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
