# SPDX-License-Identifier: GPL-2.0
#
# The front door. Every target is one script's work; `make help` lists them.
# Nothing but make and sh is needed to begin: what else is missing is named and
# installed by vm/setup.

# What can be said on the command line:
#   KERNEL=6.1|6.12|7.3 one kernel (else: 6.1 and 6.12 for check, modules and
#                       prepare; 6.12 for the others; coverage, mutants and
#                       mutate choose themselves);
#                       newest: of those in Debian's archives today;
#                       debug-kasan for check-debug (else both), soak, fuzz;
#                       debug-kcsan for check-debug, soak
#   KERNELS=all         check, modules, prepare, lint: with 7.3; or a list of
#                       your own
#   KDIR= [VMLINUZ= MODULES=]   a kernel of your own instead: a tree that was
#                       built, or what its Debian packages were unpacked into
#   ARGS="-v rcu-list -t g2_*"  some tests (check, check-debug, coverage)
#   VARIANTS="spinlock rcu-list"  THREADS=1,2  QUICK=1 | FULL=1   what bench
#                       measures; HYPERVISOR=on: with a guest's spinlocks
#   PERF=none|some|all|record   how much bench looks with perf afterwards
#   HOST=1  YES=1  HOOK=1       bench: this machine instead of a guest; it asks
#   ICOUNT=folder       instructions that bench's report shows beside times
#   N=2 [SEED=] [DIR=] [TODO=part]  which lab; what is drawn; where; what is solved
#   PRIVATE=dir         lab 9: a folder of patches that are drawn instead of ours
#   FROZEN=dir          lab 7: what was handed in first; other predictions are refused
#   MACHINES=file [REMOTE=path]  hosts that grade-all uses over ssh, and where their
#                       clone is
#   LAB=2 FILE=path     what is graded;  LABS="wrong --lab 2" some of check-labs
#   DRAWN=show          grade, grade-all: name drawn tests that failed
#   A=folder B=folder   which two runs bench-compare compares
#   VARIANTS=  PAGES=1,16,512  REPS=n   what icount counts, and how often
#   VARIANTS=  THREADS=2  SCENARIOS=populate   what lines counts
#   QUICK=1             for mutants: only the tests that each mutant names
#   MINUTES=n SEED=0x...        how long soak runs, and with which seed
#   SEED=n  CALLS=n     what fuzz does; it prints the seed that it takes
#   ACCEL=tcg|kvm  CPUS=n       how the guest runs
#   ONLY='no-*'  PART=1/4  which mutants; WITHIN=s: none after s seconds (mutants,
#                       mutate)
#   SAMPLE=n  SEED=n  FILES='variants driver/engine.c'  how many mutants mutate
#                       makes, which, and of what
#   BUILD=dir  JOBS=n  MEM=512M  QEMU=path   where all is kept; how much at
#                       once; memory of a guest; a QEMU of your own
#   ANSWERS=1           for book, book-pdf: the instructor's copy, with answers to
#                       the exercises, in build/book-answers
#   SETUP=no            install nothing, name what is missing
#   V=1                 show everything
#   ARCH=arm64|x86_64   guests of another kind than this machine: modules and
#                       programs are cross-built below build/ARCH, and emulated
export KERNEL KDIR VMLINUZ MODULES VARIANTS THREADS QUICK FULL HYPERVISOR ACCEL
export CPUS SETUP V
export ONLY PART WITHIN MINUTES SEED CALLS SAMPLE FILES WHOLE ICOUNT SCENARIOS PERF
export HOST YES HOOK ANSWERS

ifneq ($(ARCH),)
export ARCH
export BUILD := $(shell ARCH='$(ARCH)' bash -c '. vm/arch.sh && echo "$$BUILD"')
$(if $(BUILD),,$(error No guests for ARCH=$(ARCH)))
endif

ifeq ($(KERNEL),newest)
# before make 4.4, $(shell) does not see what is exported here
override KERNEL := $(shell ARCH='$(ARCH)' BUILD='$(BUILD)' vm/fetch-kernel --newest)
$(if $(KERNEL),,$(error KERNEL=newest: vm/fetch-kernel could not find out which kernel that is; why stands above. Check the network, or say KERNEL=7.3))
endif

own     := $(if $(KDIR)$(VMLINUZ),own)
kernel  := $(or $(own),$(KERNEL),6.12)
kernels := $(or $(own),$(KERNEL),$(KERNELS:all=6.1 6.12 7.3),6.1 6.12)
tests := $(if $(ARGS),-- $(ARGS))
debug-kernels := $(or $(filter debug-%,$(KERNEL)),debug-kasan debug-kcsan)

# One kernel's name reaches every script the same way.
ifneq ($(own),)
KERNEL := own
endif

override KERNELS := $(kernels)
export KERNELS

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
check: ## build for two kernels, boot both, run the whole test suite
	@vm/prepare $(kernels)
	@tests/run-suite $(kernels) $(tests)

.PHONY: check-debug
check-debug: ## the suite on kernels with lockdep, KASAN, KCSAN (KERNEL=debug-kasan)
	@vm/prepare $(debug-kernels)
	@tests/run-debug $(debug-kernels) $(tests)

.PHONY: coverage
coverage: ## which lines and branches of the modules does the suite run?
	@vm/prepare debug-gcov
	@tests/run-coverage $(tests)

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
	@vm/setup --quiet build $(if $(HOST),,vm )bench
	@$(if $(HOST),,vm/prepare $(kernel))
	@KERNEL=$(kernel) bench/run

.PHONY: bench-compare
bench-compare: ## two runs beside each other: what has changed? (A=folder B=folder)
	@vm/setup --quiet bench
	@bench/compare $(if $(A),'$(A)') $(if $(B),'$(B)')

.PHONY: icount
icount: ## count the instructions of each operation, function by function
	@vm/setup --quiet build vm bench
	@vm/prepare $(kernel)
	@KERNEL=$(kernel) bench/icount

.PHONY: lines
lines: ## count the cache lines that move between CPUs, function by function
	@vm/setup --quiet build vm bench
	@vm/prepare $(kernel)
	@KERNEL=$(kernel) bench/lines

.PHONY: shell
shell: ## a shell in the guest, modules loaded, tools and perf at hand
	@vm/prepare $(kernel)
	@vm/run --kernel $(kernel) --perf --shell

##@ Labs

.PHONY: lab
lab: ## N=2: a folder with a lab's hand-out (DIR= SEED= TODO=); without N: the list
	@vm/setup --quiet build vm labs
	@$(if $(N),labs/lab new '$(N)' $(if $(DIR),--dir '$(DIR)') \
		$(if $(SEED),--seed '$(SEED)') $(if $(TODO),--todo '$(TODO)'),labs/lab list)

.PHONY: grade
grade: ## LAB=2 FILE=path (or DIR=): what a submission earns, and why (SEED=)
	@$(if $(and $(LAB),$(or $(FILE),$(DIR))),,$(error Which lab, and what was handed in? \
		make grade LAB=2 FILE=../lab-2))
	@vm/setup --quiet build vm labs
	@labs/grade '$(LAB)' '$(or $(FILE),$(DIR))' $(if $(SEED),--seed '$(SEED)')

.PHONY: grade-all
grade-all: ## LAB=2 DIR=folder: each submission in it (JOBS= SEED= MACHINES=)
	@$(if $(and $(LAB),$(DIR)),,$(error Which lab, and in which folder are they? \
		make grade-all LAB=2 DIR=submissions))
	@vm/setup --quiet build vm labs
	@JOBS='$(JOBS)' MACHINES='$(MACHINES)' labs/grade-all '$(LAB)' '$(DIR)'

.PHONY: check-labs
check-labs: ## hand-outs, solutions, wrong submissions, attacks: is the grader right?
	@vm/setup --quiet build vm labs book
	@vm/prepare $(kernel)
	@labs/selftest $(if $(own)$(KERNEL),--kernel $(kernel)) $(LABS)

##@ To work with

.PHONY: modules
modules: ## build the modules, for 6.1 and 6.12 or KERNEL=
	@vm/build-modules $(kernels)

.PHONY: prepare
prepare: ## everything check needs, short of booting
	@vm/prepare $(kernels)

.PHONY: lint
lint: ## all that looks at sources, and what tests the tools (V=1 shows it)
	@vm/setup --quiet build vm lint
	@tools/lint

.PHONY: mutants
mutants: ## break one rule after the other: which test notices? (ONLY=GLOB)
	@vm/setup --quiet build vm model mutants
	@kernels=$$(tests/run-mutants --kernels) || { echo "$$kernels"; exit 1; }; \
	vm/prepare $$kernels
	@tests/run-mutants

.PHONY: mutate
mutate: ## mutants made by program: what does no test notice? (SAMPLE= SEED= FILES=)
	@vm/setup --quiet build vm mutate
	@vm/prepare 6.12
	@tests/run-mutate

.PHONY: ci-full
ci-full: ## all there is, several hours: CI with nothing left out, fuzz, soak
	@CI_WHOLE=y .ci/run

.PHONY: check-chroot
check-chroot: ## check and bench on a bare Debian 12 and 13, as root and as a user
	@vm/selftest-chroot

.PHONY: check-image
check-image: ## build .devcontainer's image of Debian 12 and 13; in a chroot if need be
	@vm/selftest-image

.PHONY: model
model: ## check the populate/invalidate protocol with spin
	@vm/setup --quiet model
	@model/run

.PHONY: book
book: ## the book as HTML and EPUB, in build/book (ANSWERS=1: for instructors)
	@vm/setup --quiet book
	@tools/build-book

.PHONY: book-pdf
book-pdf: ## the book as PDF too
	@vm/setup --quiet book pdf
	@tools/build-book html epub pdf

.PHONY: slides
slides: ## a deck for the lecture of each lab, out of the book: build/slides/
	@vm/setup --quiet book check-book
	@tools/build-slides

.PHONY: check-book
check-book: ## the book's names, spelling, links, EPUB, all pages in a browser, slides
	@vm/setup --quiet book check-book
	@tools/check-book
	@tools/build-slides

.PHONY: try-book
try-book: ## type the commands of the book, in a guest too, and compare
	@tools/check-book --commands

.PHONY: setup
setup: ## install the packages that everything above needs
	@vm/setup build vm bench book check-book lint pdf debug coverage model \
		mirror trace mutants mutate labs chroot

built := modules bin host-bin initramfs report book book-answers log tmp

.PHONY: clean
clean: ## remove modules, programs, book, report and logs; keep kernels and results
	@rm -rf $(foreach b,build build/arm64 build/x86_64,$(addprefix $b/,$(built)))

.PHONY: distclean
distclean: ## remove build/ as a whole
	@rm -rf build
