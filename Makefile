# workflow: a PostgreSQL extension (PGXS).
EXTENSION   = workflow
EXTVERSION  = 0.1
MODULE_big  = workflow
OBJS        = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))
SQL_PARTS   = $(sort $(wildcard sql/parts/*.sql))
DATA_built  = sql/workflow--$(EXTVERSION).sql
PG_CONFIG  ?= pg_config
PG_CPPFLAGS = -Isrc -MMD -MP
PG_CFLAGS   = -std=gnu11 -fvisibility=hidden -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers -Wno-clobbered
SHLIB_LINK  = -lpcre2-8
EXTRA_CLEAN = $(OBJS:.o=.d)
override with_llvm = no

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
-include $(OBJS:.o=.d)

$(DATA_built): $(SQL_PARTS)
	cat $^ > $@
