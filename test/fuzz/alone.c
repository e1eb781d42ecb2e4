/*
 * alone.c: loading a library that is made of the rooms of pure.c alone.
 */
#include "postgres.h"

#include "base/settings.h"
#include "fmgr.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	wf_settings_init();
}
