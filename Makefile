# SPDX-License-Identifier: GPL-2.0
#
# The front door. Every target is one script's work; `make help` lists them.
# Nothing but make and sh is needed to begin: what else is missing is named and
# installed by vm/setup.

# What can be said on the command line:
#   KERNEL=6.1|6.12     one kernel (check: both; the others: 6.12);
#                       debug-kasan|debug-kcsan for check-debug
#   KDIR= VMLINUZ= [MODULES=]   a kernel of your own instead
#   ARGS="-v rcu-list -t g2_*"  some tests (check, check-debug)
#   VARIANTS="spinlock rcu-list"  THREADS=1,2  QUICK=1   what bench measures
#   MINUTES=n SEED=0x...        how long soak runs, and with which seed
#   SEED=n  CALLS=n     what fuzz does; it prints the seed that it takes
#   ACCEL=tcg|kvm  CPUS=n       how the guest runs
#   ONLY='no-*'  PART=1/4  WITHIN=s  which mutants, and none after s seconds
#   SETUP=no            install nothing, name what is missing
#   V=1                 show everything
export KERNEL KDIR VMLINUZ MODULES VARIANTS THREADS QUICK ACCEL CPUS SETUP V
export ONLY PART WITHIN MINUTES SEED CALLS

own     := $(if $(KDIR)$(VMLINUZ),own)
kernel  := $(or $(own),$(KERNEL),6.12)
kernels := $(or $(own),$(KERNEL),6.1 6.12)
tests := $(if $(ARGS),-- $(ARGS))
debug-kernels := $(or $(filter debug-%,$(KERNEL)),debug-kasan debug-kcsan)

# One kernel's name reaches every script the same way.
ifneq ($(own),)
KERNEL := own
endif

export KERNELS := $(kernels)

MAKEFLAGS += --no-print-directory
.SUFFIXES:
.DEFAULT_GOAL := help

##@ To begin with

.PHONY: help
help: ## this list
	@awk -f vm/help.awk $(MAKEFILE_LIST)

.PHONY: doctor
doctor: ## what this machine can do, and what is missing (changes nothing)
	@vm/doctor

.PHONY: check
check: ## build for both kernels, boot both, run the whole test suite
	@vm/prepare $(kernels)
	@tests/run-suite $(kernels) $(tests)

.PHONY: check-debug
check-debug: ## the suite on kernels with lockdep, KASAN, KCSAN (KERNEL=debug-kasan)
	@vm/prepare $(debug-kernels)
	@tests/run-debug $(debug-kernels) $(tests)

.PHONY: soak
soak: ## stress for MINUTES=n over all variants, on KERNEL= (SEED= to repeat)
	@vm/prepare $(kernel)
	@tests/run-soak $(kernel)

.PHONY: mirror-run-check
mirror-run-check: ## stress-ng and sqlite3 with an external MMU attached to them
	@vm/prepare $(kernel)
	@tests/mirror-run-check $(kernel)

.PHONY: fuzz
fuzz: ## random calls, right and wrong, for a minute (SEED= CALLS= KERNEL=)
	@vm/prepare $(kernel)
	@tests/run-fuzz $(kernel)

.PHONY: bench
bench: ## measure the variants, draw the figures, write build/report/index.html
	@vm/setup --quiet build vm bench
	@vm/prepare $(kernel)
	@KERNEL=$(kernel) bench/run

.PHONY: shell
shell: ## a shell in the VM, modules loaded, tools and perf at hand
	@vm/prepare $(kernel)
	@vm/run --kernel $(kernel) --perf --shell

##@ To work with

.PHONY: modules
modules: ## build the modules, for both kernels or KERNEL=
	@vm/build-modules $(kernels)

.PHONY: prepare
prepare: ## everything check needs, short of booting
	@vm/prepare $(kernels)

.PHONY: lint
lint: ## checkpatch, sparse, kernel-doc, shellcheck
	@vm/setup --quiet build vm lint
	@tools/lint

.PHONY: mutants
mutants: ## break one rule after the other: which test notices? (ONLY=GLOB)
	@vm/setup --quiet build vm model mutants
	@kernels=$$(tests/run-mutants --kernels) || { echo "$$kernels"; exit 1; }; \
	vm/prepare $$kernels
	@tests/run-mutants

.PHONY: ci-full
ci-full: ## all there is, two hours or so: CI with nothing left out, fuzz, soak
	@CI_WHOLE=y .ci/run

.PHONY: model
model: ## check the populate/invalidate protocol with spin
	@vm/setup --quiet model
	@model/run

.PHONY: book
book: ## the book as HTML and EPUB, in build/book
	@vm/setup --quiet book
	@tools/build-book

.PHONY: book-pdf
book-pdf: ## the book as PDF too
	@vm/setup --quiet book pdf
	@tools/build-book html epub pdf

.PHONY: check-book
check-book: ## the book's names, spelling, links, EPUB, and all pages in a browser
	@vm/setup --quiet book check-book
	@tools/check-book

.PHONY: try-book
try-book: ## type the commands of the book, in a VM too, and compare
	@tools/check-book --commands

.PHONY: setup
setup: ## install the packages that everything above needs
	@vm/setup build vm bench book check-book lint

.PHONY: clean
clean: ## remove what was built, keep what was downloaded
	@rm -rf build/modules build/bin build/initramfs build/report build/book build/log build/tmp

.PHONY: distclean
distclean: ## remove build/ as a whole
	@rm -rf build
