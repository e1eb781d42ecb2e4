/*
 * aside.c: requests that cannot be claimed, because reading their row or beginning them throws.
 *
 * A claim that fails is undone with all that it took, and the next one would take the same. So each row that is looked at is noted
 * before; the one at which a claim of a single request fails is passed over for a minute, and the log says so.
 */
#include "postgres.h"

#include "base/clock.h"
#include "dispatch/flight.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

#define ASIDE_MS 60000

typedef struct Aside
{
	pg_uuid_t	request_id;
	TimestampTz until;
} Aside;

static HTAB *aside = NULL;
static bool is_looking = false;
static pg_uuid_t looking_at;	/* is_looking */

void
wf_aside_init(MemoryContext parent)
{
	HASHCTL		control = {.keysize = sizeof(pg_uuid_t), .entrysize = sizeof(Aside), .hcxt = parent};

	aside = hash_create("workflow requests set aside", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	is_looking = false;
}

void
wf_aside_look(const pg_uuid_t *request_id)
{
	is_looking = request_id != NULL;
	if (is_looking)
		looking_at = *request_id;
}

bool
wf_aside_blame(const ErrorData *error)
{
	Aside	   *entry;

	if (!is_looking)
		return false;
	is_looking = false;
	entry = hash_search(aside, &looking_at, HASH_ENTER, NULL);
	entry->until = TimestampTzPlusMilliseconds(wf_clock_now(), ASIDE_MS);
	ereport(LOG, (errcode(error->sqlerrcode),
				  errmsg("workflow dispatcher: request %s cannot be claimed, and is set aside for a minute: %s",
						 DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&looking_at))), error->message)));
	return true;
}

bool
wf_aside_has(const pg_uuid_t *request_id)
{
	return hash_search(aside, request_id, HASH_FIND, NULL) != NULL;
}

TimestampTz
wf_aside_next(void)
{
	TimestampTz next = DT_NOEND;
	HASH_SEQ_STATUS seq;
	Aside	   *entry;

	hash_seq_init(&seq, aside);
	while ((entry = hash_seq_search(&seq)) != NULL)
		next = Min(next, entry->until);
	return next;
}

bool
wf_aside_let_go(TimestampTz now)
{
	bool		some = false;
	HASH_SEQ_STATUS seq;
	Aside	   *entry;

	hash_seq_init(&seq, aside);
	while ((entry = hash_seq_search(&seq)) != NULL)
	{
		if (wf_clock_is_ahead(entry->until, now, ASIDE_MS))
			continue;
		hash_search(aside, &entry->request_id, HASH_REMOVE, NULL);
		some = true;
	}
	return some;
}
