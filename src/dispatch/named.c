/*
 * named.c: tables of small structs that are found by a text of any length.
 *
 * What limits a request is kept by tenant, host and node, and hosts and nodes are texts that tenants choose. A key of a fixed
 * size would either be cut off, so that two hosts share a circuit, or take the longest possible name for each entry; a digest as
 * the key would make views that show the names impossible. So the key is a pointer to a copy of the text.
 *
 * For the same reason such a table must not grow without end: wf_named_shed drops what is worth least, when its owner
 * has found it too large. What "worth" means, and what must stay, the owner says.
 *
 * Errors: running out of memory is thrown (53200) and leaves the table as it was.
 */
#include "dispatch/named.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

static uint32
hash_name(const void *key, Size key_bytes)
{
	const char *name = *(const char *const *) key;

	return hash_bytes((const unsigned char *) name, strlen(name));
}

static int
compare_names(const void *a, const void *b, Size key_bytes)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

void
wf_named_create(WfNames *names, const char *what, Size entry_bytes, MemoryContext memory)
{
	HASHCTL		control = {
		.keysize = sizeof(char *),
		.entrysize = entry_bytes,
		.hash = hash_name,
		.match = compare_names,
		.hcxt = memory,
	};

	names->memory = memory;
	names->entry_bytes = entry_bytes;
	names->table = hash_create(what, 256, &control, HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

int
wf_named_count(const WfNames *names)
{
	return (int) hash_get_num_entries(names->table);
}

void *
wf_named_find(const WfNames *names, const char *name)
{
	return hash_search(names->table, &name, HASH_FIND, NULL);
}

void *
wf_named_enter(WfNames *names, const char *name)
{
	WfNamed    *entry = wf_named_find(names, name);
	char	   *copy;

	if (entry != NULL)
		return entry;
	copy = MemoryContextStrdup(names->memory, name);
	entry = hash_search(names->table, &copy, HASH_ENTER_NULL, NULL);
	if (entry == NULL)
	{
		pfree(copy);
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	}
	memset((char *) entry + sizeof(WfNamed), 0, names->entry_bytes - sizeof(WfNamed));
	return entry;
}

void
wf_named_drop(WfNames *names, void *entry)
{
	char	   *name = unconstify(char *, ((WfNamed *) entry)->name);

	hash_search(names->table, &name, HASH_REMOVE, NULL);
	pfree(name);
}

typedef struct Weighed
{
	int64		worth;
	void	   *entry;
} Weighed;

static int
compare_worth(const void *a, const void *b)
{
	int64		worth_a = ((const Weighed *) a)->worth;
	int64		worth_b = ((const Weighed *) b)->worth;

	return worth_a < worth_b ? -1 : worth_a > worth_b;
}

/* Weighs all entries once, O(n log n): for owners that shed many at a time. */
void
wf_named_shed(WfNames *names, int n, WfNamedWorth worth, int64 now_ms)
{
	HASH_SEQ_STATUS scan;
	Weighed    *all = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Weighed) * Max(wf_named_count(names), 1));
	int			n_all = 0;
	void	   *entry;

	hash_seq_init(&scan, names->table);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		all[n_all].worth = worth(entry, now_ms);
		all[n_all].entry = entry;
		if (all[n_all].worth != WF_NAMED_KEEP)
			n_all++;
	}
	qsort(all, n_all, sizeof(Weighed), compare_worth);
	for (int i = 0; i < Min(n, n_all); i++)
		wf_named_drop(names, all[i].entry);
	pfree(all);
}
