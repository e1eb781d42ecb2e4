/*
 * init.c: what this room does once per backend.
 */
#include "query/internal.h"

/* Invalidation callbacks cannot be unregistered, so this is called once, from _PG_init. */
void
wf_query_init(void)
{
	wf_query_types_init();
	wf_query_plans_init();
}
