/*
 * cut_short.c: attempts that a crash, or the end of an earlier dispatcher, has cut short.
 *
 * What was being sent then is sent again, and those attempts count: their batches stay in wf.sending, marked, for as long as one of
 * their requests is in the outbox as it was. Nothing is written into requests, as somebody may have them locked for long. The
 * number of each request is added to its row's when that is claimed; who withdraws a request counts for himself
 * (store/request.c), and so does the view wf_requests.
 */
#include "postgres.h"

#include "base/clock.h"
#include "dispatch/flight.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define LOOK_AGAIN_MS 10000

typedef struct Cut
{
	struct
	{
		pg_uuid_t	tenant_id;
		pg_uuid_t	request_id;
	}			key;
	TimestampTz due_at;			/* it counts for the request that was due then: later attempts count in its row */
	int			n;
} Cut;

static HTAB *cuts = NULL;		/* NULL: there are none */
static TimestampTz look_at = DT_NOEND;	/* when to look what of it has gone */
static MemoryContext cuts_memory;

void
wf_cut_short_init(MemoryContext parent)
{
	cuts_memory = AllocSetContextCreate(parent, "workflow requests cut short", ALLOCSET_DEFAULT_SIZES);
}

void
wf_cut_short_read(void)
{
	HASHCTL		info = {.keysize = sizeof(((Cut *) NULL)->key), .entrysize = sizeof(Cut), .hcxt = cuts_memory};
	List	   *found = wf_store_cut_short();
	ListCell   *cell;

	MemoryContextReset(cuts_memory);
	cuts = NULL;
	look_at = DT_NOEND;
	if (found == NIL)
		return;
	cuts = hash_create("workflow requests cut short", list_length(found), &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	look_at = TimestampTzPlusMilliseconds(wf_clock_now(), LOOK_AGAIN_MS);
	foreach(cell, found)
	{
		const WfCutShortRow *row = lfirst(cell);
		Cut			key = {.key = {row->tenant_id, row->request_id}};
		Cut		   *cut = hash_search(cuts, &key.key, HASH_ENTER, NULL);

		cut->due_at = row->due_at;
		cut->n = row->n;
	}
}

int
wf_cut_short_times(const WfRequestRow *row)
{
	Cut			key = {.key = {row->tenant_id, row->request_id}};
	const Cut  *cut = cuts == NULL ? NULL : hash_search(cuts, &key.key, HASH_FIND, NULL);

	return cut == NULL || cut->due_at != row->due_at ? 0 : cut->n;
}

TimestampTz
wf_cut_short_next(void)
{
	return look_at;
}

void
wf_cut_short_sweep(void)
{
	TimestampTz now = wf_clock_now();

	if (look_at == DT_NOEND || wf_clock_is_ahead(look_at, now, LOOK_AGAIN_MS))
		return;
	look_at = wf_store_forget_cut_short() ? TimestampTzPlusMilliseconds(now, LOOK_AGAIN_MS) : DT_NOEND;
}
