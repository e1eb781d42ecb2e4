/*
 * table.h: a hash table of small integers; private to this room.
 *
 * It stores (hash, value) pairs and nothing else: what a value stands for and when two are equal is
 * known to the caller, who probes like this:
 *
 *   uint32 at = wf_table_begin(table, hash);
 *   while ((value = wf_table_next(table, hash, &at)) >= 0)
 *       if (is the one) ...
 *
 * dynahash is not used since the graph's index must be a plain block of memory in the graph's own
 * context, read by many runs and never changed.
 */
#ifndef WF_GRAPH_TABLE_H
#define WF_GRAPH_TABLE_H

#include "postgres.h"
#include "common/hashfn.h"

typedef struct WfTableSlot
{
	uint32		hash;
	int			value;			/* -1: empty */
} WfTableSlot;

typedef struct WfTable
{
	uint32		mask;			/* number of slots - 1; a power of two, at least twice the capacity */
	WfTableSlot slots[FLEXIBLE_ARRAY_MEMBER];
} WfTable;

/* An empty table for up to `capacity` values, in `memory`. */
static inline WfTable *
wf_table_make(MemoryContext memory, int capacity)
{
	uint32		size = 8;

	while (size < (uint64) capacity * 2)
		size *= 2;

	WfTable    *table = MemoryContextAllocHuge(memory, offsetof(WfTable, slots) + size * sizeof(WfTableSlot));

	table->mask = size - 1;
	for (uint32 i = 0; i < size; i++)
		table->slots[i].value = -1;
	return table;
}

static inline uint32
wf_table_hash(const char *text, int len)
{
	return hash_bytes((const unsigned char *) text, len);
}

static inline uint32
wf_table_begin(const WfTable *table, uint32 hash)
{
	return hash & table->mask;
}

/* The next value stored under this hash, or -1. */
static inline int
wf_table_next(const WfTable *table, uint32 hash, uint32 *at)
{
	for (;;)
	{
		const WfTableSlot *slot = &table->slots[*at];

		if (slot->value < 0)
			return -1;
		*at = (*at + 1) & table->mask;
		if (slot->hash == hash)
			return slot->value;
	}
}

/* Adds a value; the caller has made sure that there is room. */
static inline void
wf_table_add(WfTable *table, uint32 hash, int value)
{
	uint32		at = hash & table->mask;

	while (table->slots[at].value >= 0)
		at = (at + 1) & table->mask;
	table->slots[at].hash = hash;
	table->slots[at].value = value;
}

/* A table of a list of names, in CurrentMemoryContext; of equal names the first is found. */
static inline WfTable *
wf_table_of_names(const char *const *names, int n)
{
	WfTable    *table = wf_table_make(CurrentMemoryContext, n);

	for (int i = 0; i < n; i++)
		wf_table_add(table, wf_table_hash(names[i], strlen(names[i])), i);
	return table;
}

/* Index of a name in a list, or -1; `table` is that of the list, or NULL. */
static inline int
wf_table_find_name(const WfTable *table, const char *const *names, int n, const char *name)
{
	if (table == NULL)
	{
		for (int i = 0; i < n; i++)
			if (strcmp(names[i], name) == 0)
				return i;
		return -1;
	}

	uint32		hash = wf_table_hash(name, strlen(name));
	uint32		at = wf_table_begin(table, hash);
	int			i;

	while ((i = wf_table_next(table, hash, &at)) >= 0)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

#endif
