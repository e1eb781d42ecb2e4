/*
 * named.h: tables of small structs that are found by a text of any length. Private to this room; the essay is in named.c.
 */
#ifndef WF_DISPATCH_NAMED_H
#define WF_DISPATCH_NAMED_H

#include "postgres.h"
#include "utils/hsearch.h"

/* What an entry begins with; the rest is its owner's, and zero when it is made. */
typedef struct WfNamed
{
	const char *name;			/* the table's copy */
} WfNamed;

typedef struct WfNames
{
	HTAB	   *table;
	MemoryContext memory;		/* the table's alone: deleting it is how the table is destroyed */
	Size		entry_bytes;
} WfNames;

extern void wf_named_create(WfNames *names, const char *what, Size entry_bytes, MemoryContext memory);
extern int	wf_named_count(const WfNames *names);
/* NULL when it is not there. */
extern void *wf_named_find(const WfNames *names, const char *name);
/* Makes it when it is not there. Entries stay where they are until they are dropped. */
extern void *wf_named_enter(WfNames *names, const char *name);
/* May be called for the entry that a sequential scan has just given. */
extern void wf_named_drop(WfNames *names, void *entry);

/* How much would be lost with an entry; WF_NAMED_KEEP: it must stay. */
typedef int64 (*WfNamedWorth) (const void *entry, int64 now_ms);
#define WF_NAMED_KEEP PG_INT64_MAX

/* Drops `n` entries, those of the least worth, or as many as may be dropped. */
extern void wf_named_shed(WfNames *names, int n, WfNamedWorth worth, int64 now_ms);

#endif
