# workflow: a PostgreSQL extension, built with PGXS.
#
#   make, make install, make installcheck    for people with their own server (PG_CONFIG=...)
#   make demo, make check, make check-all     from a fresh machine: a private installation and
#                                             cluster in build/, see test/run/README.md
#   make regress T="name ..." [ACCEPT=1]      some regression tests, quickly; ACCEPT takes their
#                                             results as expected; also make isolation T="name ...",
#                                             make tap T="name ..."
#   make lint, make asan, make valgrind, make psql, make stop, make deps
#
# WITHOUT_SANDBOX=1 builds without JavaScript (src/sandbox/README.md), and needs no clang, lld, wabt or wasi-libc;
# WERROR=1 makes warnings errors; WF_TESTING=1 compiles test-only functions and fault points;
# OBJDIR=... keeps another flavour of the build apart from the plain one.

EXTENSION  = workflow
EXTVERSION = 0.1

# Goals that are scripts: they may run before there is a pg_config on the machine.
SCRIPTS_RUN = deps demo psql stop check check-all lint regress isolation tap asan valgrind
ifneq ($(wildcard test/bench/run.sh),)
SCRIPTS_RUN += bench
endif
ifneq ($(wildcard test/fuzz/run.sh),)
SCRIPTS_RUN += fuzz
endif
ifneq ($(wildcard test/soak/run.sh),)
SCRIPTS_RUN += soak
endif

.DEFAULT_GOAL := all

ifneq ($(filter-out $(SCRIPTS_RUN),$(or $(MAKECMDGOALS),all)),)

OBJDIR     ?= build/obj/plain
SANDBOX     = build/sandbox
# The plain library is where PGXS installs it from; the others stay in their folder.
MODULE_big  = $(if $(filter build/obj/plain,$(OBJDIR)),workflow,$(OBJDIR)/workflow)
SRCS       := $(sort $(filter-out $(if $(WITHOUT_SANDBOX),src/sandbox/wall.c),$(wildcard src/*.c src/*/*.c)))
OBJS        = $(SRCS:src/%.c=$(OBJDIR)/%.o) $(if $(WITHOUT_SANDBOX),,$(SANDBOX)/guest.o)
SQL_PARTS  := $(sort $(wildcard sql/parts/*.sql))
DATA_built  = sql/workflow--$(EXTVERSION).sql

# gcc's guesses about uninitialised variables differ by version and with link-time optimisation: they
# are shown, and are no errors.
# PostgreSQL 15 defines PGDLLEXPORT as nothing, which hidden visibility would not survive.
PG_CPPFLAGS = -Isrc -MMD -MP -DPGDLLEXPORT='__attribute__((visibility("default")))' \
              $(if $(WF_TESTING),-DWF_TESTING) $(if $(WITHOUT_SANDBOX),-DWITHOUT_SANDBOX,-I$(SANDBOX))
PG_CFLAGS   = -std=gnu11 -fvisibility=hidden -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
              -Wno-missing-field-initializers -Wno-clobbered -Wno-declaration-after-statement \
              $(if $(WERROR),-Werror -Wno-error=maybe-uninitialized)
SHLIB_LINK  = -lpcre2-8 -lcrypto -lcurl
EXTRA_CLEAN = build/obj build/lint build/installcheck

# Bitcode for the server's JIT compiler would need its very version of clang, for no gain.
override with_llvm = no

# Every test file has a database of its own, which PGXS's own rule does not give it.
NO_INSTALLCHECK = 1

PG_CONFIG ?= pg_config
PGXS      := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(wildcard $(PGXS)),)
$(error $(PG_CONFIG) leads to no PGXS: install the server's development package, run "make deps", or set PG_CONFIG)
endif
include $(PGXS)
-include $(OBJS:.o=.d)

# A change of flags or of the list of files rebuilds: the stamps change only when their text does.
stamp = $(shell mkdir -p $(dir $(1)) && { echo '$(subst ','\'',$(2))' | cmp -s - $(1) || \
          echo '$(subst ','\'',$(2))' > $(1); })
$(call stamp,$(OBJDIR)/flags,$(PGXS) $(VERSION) $(CC) $(CPPFLAGS) $(CFLAGS))
$(call stamp,$(OBJDIR)/files,$(SRCS) $(SHLIB_LINK))
$(call stamp,build/obj/parts,$(SQL_PARTS))
$(shell mkdir -p $(sort $(dir $(OBJS))))

$(OBJDIR)/%.o: src/%.c $(OBJDIR)/flags
	$(CC) $(CFLAGS) $(CPPFLAGS) -c -o $@ $<

$(MODULE_big)$(DLSUFFIX): $(OBJDIR)/files

# JavaScript behind its wall (src/sandbox/README.md): the same object in every flavour. Its code is a section of its own, since the
# wall must know whether it was interrupted there.
$(SANDBOX)/guest.c: $(wildcard src/sandbox/guest/*)
	bash src/sandbox/guest/build.sh $(SANDBOX)
$(SANDBOX)/guest.h $(SANDBOX)/names.h: $(SANDBOX)/guest.c ;
$(OBJDIR)/sandbox/wall.o: $(SANDBOX)/guest.c

GUEST_FLAGS = -O2 -fPIC -fvisibility=hidden -fno-strict-aliasing -fno-reorder-blocks-and-partition -fno-reorder-functions -w
$(SANDBOX)/guest.o: $(SANDBOX)/guest.c
	$(CC) $(GUEST_FLAGS) -c -o $@.new $<
	objcopy --rename-section .text=wf_guest $@.new
	objcopy --add-symbol wf_guest_begin=wf_guest:0,global,function --add-symbol \
		wf_guest_end=wf_guest:0x$$(objdump -h $@.new | awk '$$2 == "wf_guest" { print $$3 }'),global,function $@.new
	mv $@.new $@

# What a second compiler has to say; linking is bound to the server's own.
.PHONY: objects
objects: $(OBJS)

$(DATA_built): $(SQL_PARTS) build/obj/parts
	mkdir -p $(@D)
	cat $(SQL_PARTS) /dev/null > $@

.PHONY: installcheck
installcheck:
	@bash test/run/installcheck.sh

distclean: remove-private
.PHONY: remove-private
remove-private:
	bash test/run/cluster.sh all remove
	rm -rf build

endif

.PHONY: $(SCRIPTS_RUN)
export PG_CONFIG

ifneq ($(filter $(SCRIPTS_RUN),$(MAKECMDGOALS)),)
deps:
	@bash test/run/deps.sh build check
demo:
	@bash test/run/demo.sh
psql:
	@bash test/run/cluster.sh demo psql
stop:
	@bash test/run/cluster.sh all stop
check:
	@bash test/run/check.sh
check-all:
	@bash test/run/check-all.sh
lint:
	@bash test/run/check.sh lint
regress:
	@bash test/run/check.sh regress $(if $(T),,all) $(T)
isolation:
	@bash test/run/check.sh isolation $(T)
tap:
	@bash test/run/check.sh tap $(T)
asan:
	@bash test/run/asan.sh $(T)
valgrind:
	@bash test/run/valgrind.sh $(T)
bench:
	@B="$(B)" bash test/bench/run.sh
fuzz:
	@bash test/fuzz/run.sh
soak:
	@bash test/soak/run.sh $(T)
endif
